"""`rma-mamba review export`: make a dataset for training from reviewed cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.data.prepare_options import Folds
from rma_mamba.cli.shared_options import Quiet, Verbose


def export(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Folder that `rma-mamba serve` has served, or of results."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Dataset to write; an earlier one is updated."
        ),
    ],
    scans: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the scans.  [default: FOLDER]"),
    ] = None,
    states: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="accepted|corrected",
            help="Export cases of this state; repeatable.  [default: both]",
        ),
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Patient ID in the name of a case, as the first group.  [default: from DICOM, else the name]",
        ),
    ] = None,
    folds: Folds = 5,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a dataset for training from accepted and corrected cases.

    Print the path of the data table for `rma-mamba train --data`.
    """
    from rma_mamba.cli.review.export_summary import run_export

    table, code = run_export(folder, out, scans, states, patient, folds, Console(quiet, verbose))
    typer.echo(table)
    raise typer.Exit(code)
