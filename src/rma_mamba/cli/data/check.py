"""`rma-mamba data check`: what is in a dataset, and what in it would spoil a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.data.options import (
    Liver,
    Name,
    Patient,
    Quiet,
    Root,
    Sequences,
    opened,
)
from rma_mamba.cli.options import Verbose
from rma_mamba.errors import DataError


def check(
    name: Name,
    root: Root,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON, case by case.")
    ] = None,
    sequences: Sequences = None,
    liver: Liver = None,
    patient: Patient = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read all of a dataset and report, as Markdown, what it holds and what would spoil a result (then exit code 4)."""
    from rma_mamba.datasets.audit import audit, to_json, to_markdown
    from rma_mamba.files import replace_file

    dataset = opened(name, root, sequences, liver, patient)
    with Console(quiet, verbose).progress("Checking") as progress:
        report = audit(dataset, progress)
    typer.echo(to_markdown(report))
    if json_file is not None:
        replace_file(json_file, to_json(report).encode(), "report")
    if report.errors:
        raise DataError(
            f"the dataset has {len(report.errors)} errors in {len(report.bad_cases)} cases; expected none. "
            "Repair or leave out the cases that are listed."
        )
