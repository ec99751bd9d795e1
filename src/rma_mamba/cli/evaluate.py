"""`rma-mamba evaluate`: score a network on the patients of one split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.deprecations import renamed_option
from rma_mamba.cli.scan_options import Model
from rma_mamba.cli.shared_options import PreparedData, Quiet, ScoreFolder, Settings, Verbose


def evaluate(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="TOML file, or name of a bundled recipe.")
    ],
    model: Model = "default",
    split: Annotated[
        Literal["val", "test"] | None,
        typer.Option(metavar="val|test", help="Split whose patients are scored.  [default: test]"),
    ] = None,
    side: Annotated[Literal["valid", "val", "test"] | None, typer.Option(hidden=True)] = None,
    settings: Settings = None,
    data: PreparedData = None,
    neighbours: Annotated[
        bool | None,
        typer.Option(help="Include adjacent slices in the input.  [default: as in training]"),
    ] = None,
    output: ScoreFolder = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score a network on the patients of a split.

    Print Markdown tables: each patient, and the summary.
    """
    from rma_mamba.cli.score_output import check_tables, print_and_write
    from rma_mamba.evaluation import patients_to_markdown, score_patients
    from rma_mamba.inference import Segmenter
    from rma_mamba.training import load_recipe

    console = Console(quiet, verbose)
    check_tables(output)
    chosen = renamed_option("--side", side, "--split", split)
    config = load_recipe(recipe, settings or [], data).data
    segmenter = Segmenter.load(model)
    if neighbours is not None:
        segmenter = segmenter.with_recipe(neighbours=neighbours)
    scores = []
    for score in score_patients(
        segmenter, config, "test" if chosen in (None, "test") else "val", method=Path(model).stem
    ):
        console.note(f"{score.source}, patient {score.patient}: Dice {score.dice:.3f}")
        scores.append(score)
    typer.echo(f"{patients_to_markdown(scores)}\n")
    print_and_write([case for score in scores for case in score.cases], output, console)
