"""`rma-mamba weights export`: a checkpoint as a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Verbose
from rma_mamba.cli.weights.weights_options import Dtype, Output, StoredType


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Checkpoint in the folder of its run, such as checkpoints/last.ckpt.",
        ),
    ],
    output: Output,
    dtype: StoredType = Dtype.float16,
    verbose: Verbose = False,
) -> None:
    """Write a checkpoint of a training run as a weights file.

    `rma-mamba train` exports the best checkpoint; this command exports any, also while the run is in progress.
    """
    from rma_mamba.training.weights_tools import average_weights

    average_weights([checkpoint], output, dtype.value)
    typer.echo(f"Weights: {output}", err=True)
