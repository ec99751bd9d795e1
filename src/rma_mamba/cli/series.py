"""`rma-mamba series`: list the DICOM series of a study, and which one is segmented by default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rma_mamba.cli.shared_options import Verbose

if TYPE_CHECKING:
    from rma_mamba.scans.dicom_series import SeriesInfo


def series(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="DICOM folder, zip or file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the DICOM series of a study.

    * marks the series that `segment` uses if --series is not given.
    """
    from dataclasses import asdict

    from rma_mamba.scans import list_series

    found = list_series(scan)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    rows = [_HEADINGS, *(_row(each) for each in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


_HEADINGS = (
    *("", "no.", "study", "modality", "kind", "plane", "images", "volumes", "spacing (mm)"),
    *("reason", "description"),
)


def _row(each: SeriesInfo) -> tuple[str, ...]:
    spacing = " x ".join(f"{size:.4g}" for size in each.spacing_mm) if each.spacing_mm else "-"
    counts = (str(each.images), str(each.volumes))
    mark = "*" if each.chosen else ""
    kind = (_printable(each.modality) or "-", each.kind, each.orientation or "-")
    described = (each.reason, _printable(each.description))
    return (mark, str(each.number), str(each.study), *kind, *counts, spacing, *described)


def _printable(text: str) -> str:
    """Text from a header, without line breaks and terminal control codes."""
    return "".join(letter for letter in text if letter.isprintable())
