"""`rma-mamba train`: from a recipe to weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.options import PreparedData, Verbose


def train(
    recipe: Annotated[
        Path,
        typer.Argument(
            help="A TOML file, or the name of a shipped recipe: default, fine-tune, paper-t, paper-s, "
            "ablation-1 to ablation-6."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override one setting, as training.lr=1e-4."
        ),
    ] = None,
    data: PreparedData = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of the same run.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Train a network as a recipe says; logs and checkpoints go where the recipe says."""
    from rma_mamba.training import train as run_recipe

    weights = run_recipe(recipe, settings or [], resume, data=data)
    typer.echo(f"Weights: {weights}", err=True)
