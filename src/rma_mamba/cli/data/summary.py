"""`rma-mamba data summary`: count what a dataset contains."""

from __future__ import annotations

import typer

from rma_mamba.cli.data.dataset_options import (
    Channels,
    Liver,
    Name,
    Patient,
    Resample,
    Root,
    Sequences,
)
from rma_mamba.cli.data.opening import open_dataset
from rma_mamba.cli.shared_options import Verbose


def summary(
    name: Name,
    root: Root,
    sequences: Sequences = None,
    liver: Liver = None,
    patient: Patient = None,
    channels: Channels = None,
    resample: Resample = False,
    verbose: Verbose = False,
) -> None:
    """Count patients, volumes and slices.

    Counts are by sequence and split, from file names and headers alone.
    """
    from rma_mamba.datasets.audit import summary_table

    typer.echo(
        summary_table(
            open_dataset(name, root, sequences, liver, patient, channels, resample=resample)
        )
    )
