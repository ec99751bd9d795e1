"""`rma-mamba train`: train a network from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Lenient, PreparedData, Settings, Verbose
from rma_mamba.standard_streams import progress_on_stderr


def train(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE",
            help="TOML file, or name of a bundled recipe: default, whole-scan, fine-tune, chaos-mini, paper-t, "
            "paper-s, paper-lits, ablation-1 to ablation-6.",
        ),
    ],
    settings: Settings = None,
    data: PreparedData = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint of this run.")
    ] = False,
    lenient: Lenient = False,
    verbose: Verbose = False,
) -> None:
    """Train a network from a recipe.

    The recipe defines the data, the network, the training settings and the output folder.
    """
    from rma_mamba.training import train as run_training

    with progress_on_stderr():
        weights = run_training(recipe, settings or [], resume, data=data, lenient=lenient)
    typer.echo(f"Weights: {weights}", err=True)
