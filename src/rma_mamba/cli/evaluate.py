"""`rma-mamba evaluate`: score a network on the patients of one split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli import shared_options as shared
from rma_mamba.cli.console import Console
from rma_mamba.cli.deprecations import renamed_option
from rma_mamba.cli.scan_options import Model


def evaluate(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="TOML file, or name of a bundled recipe.")
    ],
    model: Model = "default",
    split: shared.ScoredSplit = None,
    side: Annotated[Literal["valid", "val", "test"] | None, typer.Option(hidden=True)] = None,
    settings: shared.Settings = None,
    data: shared.PreparedData = None,
    neighbours: shared.Neighbours = None,
    postprocessing: shared.Postprocessing = "standard",
    output: shared.ScoreFolder = None,
    lenient: shared.Lenient = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Score a network on the patients of a split.

    Print Markdown tables: each patient, and the summary.
    """
    from rma_mamba.cli.score_output import check_tables, print_and_write
    from rma_mamba.datasets.audit import require_sound_data
    from rma_mamba.evaluation import patients_to_markdown, score_patients
    from rma_mamba.inference import Segmenter
    from rma_mamba.training import load_recipe

    console = Console(quiet, verbose)
    check_tables(output)
    chosen = renamed_option("--side", side, "--split", split)
    config = load_recipe(recipe, settings or [], data).data
    patients_of: Literal["val", "test"] = "test" if chosen in (None, "test") else "val"
    require_sound_data(
        config, (patients_of,), lenient=lenient, warn=lambda text: console.warn([text])
    )
    segmenter = Segmenter.load(model, postprocessing=postprocessing)
    if neighbours is not None:
        segmenter = segmenter.with_recipe(neighbours=neighbours)
    scores = []
    for score in score_patients(segmenter, config, patients_of, method=Path(model).stem):
        console.note(f"{score.source}, patient {score.patient}: Dice {score.dice:.3f}")
        scores.append(score)
    typer.echo(f"{patients_to_markdown(scores)}\n")
    print_and_write([case for score in scores for case in score.cases], output, console)
