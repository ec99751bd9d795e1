"""`rma-mamba series`: which DICOM series there are, and which one would be segmented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rma_mamba.cli.options import Verbose

if TYPE_CHECKING:
    from rma_mamba.scans.dicom_series import SeriesInfo


def series(
    scan: Annotated[Path, typer.Argument(help="A folder, zip archive or file of DICOM.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the DICOM series of a study; `segment --series` takes the numbers of this list."""
    from dataclasses import asdict

    from rma_mamba.scans import list_series

    found = list_series(scan)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    rows = [_HEADINGS, *(_row(one) for one in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


_HEADINGS = (
    *("", "no.", "study", "modality", "kind", "plane", "images", "volumes", "spacing (mm)"),
    *("why", "description"),
)


def _row(one: SeriesInfo) -> tuple[str, ...]:
    spacing = " x ".join(f"{size:.4g}" for size in one.spacing_mm) if one.spacing_mm else "-"
    counts = (str(one.images), str(one.volumes))
    # a description may hold line breaks and codes that a terminal would obey
    description = "".join(letter for letter in one.description if letter.isprintable())
    modality = "".join(letter for letter in one.modality if letter.isprintable())
    mark = "*" if one.chosen else ""
    kind = (modality or "-", one.kind, one.orientation or "-")
    return (mark, str(one.number), str(one.study), *kind, *counts, spacing, one.reason, description)
