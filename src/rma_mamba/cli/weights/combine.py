"""`rma-mamba weights ensemble`: several networks in one weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.shared_options import Verbose
from rma_mamba.cli.weights.weights_options import Dtype, Output, StoredType


def ensemble(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="WEIGHTS...",
            help="Weights files or checkpoints of runs: folds, seeds, or different networks.",
        ),
    ],
    output: Output,
    dtype: StoredType = Dtype.float16,
    verbose: Verbose = False,
) -> None:
    """Write several networks as one weights file, whose probabilities are averaged.

    All networks must have the same slice recipe. `segment -m` and `evaluate -m` take the file like any other.
    """
    from rma_mamba.training.ensemble_weights import write_ensemble

    found = write_ensemble(inputs, output, dtype.value)
    members = ", ".join(each["model"] for each in found.settings["members"])
    typer.echo(f"Weights of {members}: {output}", err=True)
