"""`rma-mamba evaluate`: scores of every patient on one side of a recipe's split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import PreparedData, QuietTables, Tables, Verbose


def evaluate(
    recipe: Annotated[str, typer.Argument(help="A TOML file, or the name of a shipped recipe.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="A model's name or a weights file.")
    ] = "default",
    side: Annotated[Literal["valid", "test"], typer.Option(help="Side of the split.")] = "test",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one setting of the recipe."),
    ] = None,
    data: PreparedData = None,
    neighbours: Annotated[
        bool | None,
        typer.Option(help="Show the network a slice's neighbours, or not; as it was trained."),
    ] = None,
    output: Tables = None,
    quiet: QuietTables = False,
    verbose: Verbose = False,
) -> None:
    """Score a network on a recipe's test patients, one by one; prints Markdown tables."""
    from rma_mamba.cli.scores import check_folder, publish
    from rma_mamba.evaluation import patients_to_markdown, score_patients
    from rma_mamba.inference import Segmenter
    from rma_mamba.training import load_recipe

    console = Console(quiet, verbose)
    check_folder(output)
    scored = load_recipe(recipe, settings or [], data).data
    segmenter = Segmenter.load(model)
    if neighbours is not None:
        segmenter = segmenter.with_recipe(neighbours=neighbours)
    scores = []
    for score in score_patients(segmenter, scored, side, method=Path(model).stem):
        console.note(f"{score.source}, patient {score.patient}: Dice {score.dice:.3f}")
        scores.append(score)
    typer.echo(f"{patients_to_markdown(scores)}\n")
    publish([case for score in scores for case in score.cases], output, console)
