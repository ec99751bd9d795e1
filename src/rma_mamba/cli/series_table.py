"""The table of `rma-mamba series`: one row for each series, then the volumes of those that have several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rma_mamba.scans.dicom_series import SeriesInfo

_HEADINGS = (
    *("", "no.", "study", "modality", "kind", "plane", "images", "volumes", "differ in"),
    *("spacing (mm)", "reason", "description"),
)


def table(found: Sequence[SeriesInfo]) -> Iterator[str]:
    """The lines of the table."""
    rows = [_HEADINGS, *(_row(each) for each in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for each in found:
        if each.volume_labels:
            yield ""
            yield f"Volumes of series {each.number}:"
            for number, label in enumerate(each.volume_labels, start=1):
                yield f"  --volume {number}  {_printable(label)}"


def _row(each: SeriesInfo) -> tuple[str, ...]:
    spacing = " x ".join(f"{size:.4g}" for size in each.spacing_mm) if each.spacing_mm else "-"
    counts = (str(each.images), str(each.volumes), each.differing or "-")
    mark = "*" if each.chosen else ""
    kind = (_printable(each.modality) or "-", each.kind, each.orientation or "-")
    described = (each.reason, _printable(each.description))
    return (mark, str(each.number), str(each.study), *kind, *counts, spacing, *described)


def _printable(text: str) -> str:
    """Text from a header, without line breaks and terminal control codes."""
    return "".join(letter for letter in text if letter.isprintable())
