"""`rma-mamba weights average`: the mean of the weights of several training runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Verbose
from rma_mamba.cli.weights.weights_options import Dtype, Output, StoredType


def average(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="WEIGHTS...", help="Weights files or checkpoints of runs."),
    ],
    output: Output,
    dtype: StoredType = Dtype.float16,
    verbose: Verbose = False,
) -> None:
    """Write the mean of the weights of several training runs.

    All runs must have the same network and slice recipe, which are written to the output.
    """
    from rma_mamba.training.weights_tools import average_weights

    average_weights(inputs, output, dtype.value)
    typer.echo(f"Weights: {output}", err=True)
