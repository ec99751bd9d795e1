"""`rma-mamba data summary`: how much a dataset holds."""

from __future__ import annotations

import typer

from rma_mamba.cli.data.options import Liver, Name, Patient, Root, Sequences, opened
from rma_mamba.cli.options import Verbose


def summary(
    name: Name,
    root: Root,
    sequences: Sequences = None,
    liver: Liver = None,
    patient: Patient = None,
    verbose: Verbose = False,
) -> None:
    """Count patients, volumes and slices by sequence and side, from names and headers alone."""
    from rma_mamba.datasets.audit import summary_table

    typer.echo(summary_table(opened(name, root, sequences, liver, patient)))
