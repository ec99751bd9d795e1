"""`rma-mamba data check`: find errors in a dataset before they affect results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.data.dataset_options import (
    Channels,
    Liver,
    Name,
    Patient,
    Resample,
    Root,
    Sequences,
)
from rma_mamba.cli.data.full_check import Jobs, checked
from rma_mamba.cli.data.opening import open_dataset
from rma_mamba.cli.shared_options import Quiet, Verbose
from rma_mamba.errors import DataError


def check(
    name: Name,
    root: Root,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="PATH", help="Write the findings, case by case, as JSON."),
    ] = None,
    sequences: Sequences = None,
    liver: Liver = None,
    patient: Patient = None,
    channels: Channels = None,
    resample: Resample = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find errors in a dataset.

    Read every case; print the content, errors and warnings as Markdown. The exit code is 4 if there are errors.
    """
    from rma_mamba.datasets.audit import to_json, to_markdown
    from rma_mamba.datasets.processes import usable_cores
    from rma_mamba.files import replace_file

    dataset = open_dataset(name, root, sequences, liver, patient, channels, resample=resample)
    result = checked(dataset, jobs or usable_cores(), Console(quiet, verbose))
    typer.echo(to_markdown(result))
    if json_file is not None:
        replace_file(json_file, to_json(result).encode(), "list of findings")
    if result.errors:
        raise DataError(
            f"the dataset has {len(result.errors)} errors in {len(result.cases_with_errors)} cases; expected none. "
            "Correct or exclude the cases that are listed."
        )
