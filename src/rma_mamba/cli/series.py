"""`rma-mamba series`: list the DICOM series of a study, and which one is segmented by default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.series_table import table
from rma_mamba.cli.shared_options import Verbose


def series(
    scan: Annotated[
        Path, typer.Argument(metavar="SCAN", help="DICOM folder, zip, file or DICOMDIR.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the DICOM series of a study.

    * marks the series that `segment` uses if --series is not given; in a folder of scans, that of each case. The
    volumes of a series (echoes, b-values, phases) are listed below the table, with the number for `segment --volume`.
    """
    from dataclasses import asdict

    from rma_mamba.pipeline.series_list import list_chosen_series

    console = Console(verbose=verbose)
    found = list_chosen_series(scan, console)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    for line in table(found):
        typer.echo(line)
