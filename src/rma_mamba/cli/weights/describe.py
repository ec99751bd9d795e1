"""`rma-mamba weights info`: what a weights file contains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Verbose


def info(
    weights: Annotated[
        Path, typer.Argument(metavar="WEIGHTS", help="Weights file, or checkpoint of a run.")
    ],
    verbose: Verbose = False,
) -> None:
    """Print network, settings, slice recipe and SHA-256 of a weights file as JSON."""
    from rma_mamba.training.weights_tools import describe_weights

    typer.echo(json.dumps(describe_weights(weights), indent=2))
