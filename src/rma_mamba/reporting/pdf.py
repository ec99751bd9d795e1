"""A report as a PDF of two A4 pages, by matplotlib: it draws without a screen and embeds its fonts."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from rma_mamba.reporting.preview import render_preview

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rma_mamba.reporting.report import Report, Rows

_A4_INCHES = (8.27, 11.69)
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.07, 0.93, 0.95, 0.05
_LINE = 0.0155  # of the page's height
_COLOURS = {"green": "#c9e8ce", "yellow": "#fbe7a1", "red": "#f3b5ac"}
_KEPT = 5  # lines that stand together: a heading, and the first ones below it
_WIDE = 105  # letters in a line of the smaller print
_VALUE = 72


class _Pages:
    """Pages that are filled from top to bottom."""

    def __init__(self) -> None:
        self.pages: list[Figure] = []
        self.turn()

    def turn(self) -> None:
        """Begin a new page."""
        from matplotlib.figure import Figure

        self.pages.append(Figure(figsize=_A4_INCHES))
        self.at = _TOP

    @property
    def page(self) -> Figure:
        return self.pages[-1]

    def write(self, text: str, x: float = _LEFT, size: float = 9, **style: Any) -> None:
        """A line at the current height."""
        self.page.text(x, self.at, text, fontsize=size, va="top", **style, parse_math=False)

    def down(self, lines: float = 1) -> None:
        """Go down; to a new page at the end of this one."""
        self.at -= lines * _LINE
        if self.at < _BOTTOM:
            self.turn()

    def paragraph(self, text: str) -> None:
        """Text in lines."""
        for line in textwrap.wrap(text, _WIDE):
            self.write(line)
            self.down()

    def heading(self, text: str) -> None:
        """A heading with room above it, on the page of what follows."""
        self.down(1)
        if self.at - _KEPT * _LINE < _BOTTOM:
            self.turn()
        self.write(text, size=12, weight="bold")
        self.down(1.6)

    def table(self, rows: Rows) -> None:
        """Names and values."""
        for name, value in rows:
            self.write(name, size=8, color="#676c76")
            for line in textwrap.wrap(value, _VALUE) or [""]:
                self.write(line, x=0.36, size=8)
                self.down(0.95)


def render_pdf(report: Report) -> bytes:
    """The pages as bytes."""
    from matplotlib.backends.backend_pdf import PdfPages

    pages = _Pages()
    _head(pages, report)
    _montage(pages, report)
    pages.heading("Measurements")
    pages.table(report.measurements)
    pages.heading("What ran")
    pages.table(report.provenance)
    content = io.BytesIO()
    # no date: a report says nothing of when
    told = {"Title": "Liver segmentation report", "Creator": report.software, "CreationDate": None}
    with PdfPages(content, metadata=told) as pdf:
        for page in pages.pages:
            if page.texts:  # the last one may have been begun for nothing
                pdf.savefig(page)
    return content.getvalue()


def _head(pages: _Pages, report: Report) -> None:
    pages.write(report.title, size=20, weight="bold")
    box = {"boxstyle": "round,pad=0.5", "facecolor": _COLOURS[report.light], "edgecolor": "none"}
    pages.write(report.light, x=_RIGHT, size=12, ha="right", bbox=box)
    pages.down(2.2)
    note = f"{report.modality}   {report.software}   Research software, not a medical device."
    pages.write(note, color="#676c76")
    pages.down(1)
    pages.heading("Quality")
    pages.paragraph(report.verdict)
    for flag in report.flags:
        pages.paragraph(f"{flag.severity}: {flag.message} [{flag.code}]")
    for warning in report.warnings:
        pages.paragraph(warning)


def _montage(pages: _Pages, report: Report) -> None:
    picture = np.asarray(render_preview(report.volume, report.mask))
    width = _RIGHT - _LEFT
    height = width * _A4_INCHES[0] / _A4_INCHES[1] * picture.shape[0] / picture.shape[1]
    pages.down(1)
    if pages.at - height < _BOTTOM:
        pages.turn()
    axes = pages.page.add_axes((_LEFT, pages.at - height, width, height))
    axes.imshow(picture, aspect="auto", interpolation="none")  # as it is
    axes.axis("off")
    pages.at -= height
    pages.down(1)
