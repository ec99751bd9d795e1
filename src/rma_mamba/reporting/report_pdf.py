"""A report as a PDF of A4 pages with embedded fonts, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rma_mamba.files import replace_file
from rma_mamba.reporting.preview import render_preview
from rma_mamba.reporting.report import DISCLAIMER, Report, Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_A4_INCHES = (8.27, 11.69)
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.07, 0.93, 0.95, 0.05
_LINE = 0.0155  # of the page height
_COLOURS = {"green": "#c9e8ce", "yellow": "#fbe7a1", "red": "#f3b5ac"}
_KEEP_TOGETHER = 5  # lines on one page: a heading and the first lines below it
_TEXT_WIDTH = 105  # characters per line of text
_VALUE_WIDTH = 72  # characters per line of a table value


class _Pages:
    """The pages of the PDF, filled from top to bottom."""

    def __init__(self) -> None:
        self.pages: list[Figure] = []
        self.new_page()

    def new_page(self) -> None:
        """Start a new page."""
        from matplotlib.figure import Figure

        self.pages.append(Figure(figsize=_A4_INCHES))
        self.at = _TOP

    @property
    def page(self) -> Figure:
        return self.pages[-1]

    def write(self, text: str, x: float = _LEFT, size: float = 9, **style: Any) -> None:
        """Write a line of text at the current height."""
        self.page.text(x, self.at, text, fontsize=size, va="top", **style, parse_math=False)

    def move_down(self, lines: float = 1) -> None:
        """Move down; start a new page at the bottom of this one."""
        self.at -= lines * _LINE
        if self.at < _BOTTOM:
            self.new_page()

    def paragraph(self, text: str) -> None:
        """Write wrapped text."""
        for line in textwrap.wrap(text, _TEXT_WIDTH):
            self.write(line)
            self.move_down()

    def heading(self, text: str) -> None:
        """Write a heading with space above it, on the same page as the text below."""
        self.move_down(1)
        if self.at - _KEEP_TOGETHER * _LINE < _BOTTOM:
            self.new_page()
        self.write(text, size=12, weight="bold")
        self.move_down(1.6)

    def table(self, rows: Rows) -> None:
        """Write names and values in two columns."""
        for name, value in rows:
            self.write(name, size=8, color="#676c76")
            for line in textwrap.wrap(value, _VALUE_WIDTH) or [""]:
                self.write(line, x=0.36, size=8)
                self.move_down(0.95)


def write_pdf(report: Report, path: Path) -> None:
    """Write the report as PDF, without the interactive surface, atomically.

    The same case always gives an identical file.

    Raises:
        GridError: The mask is not on the scan's grid.
        ScanError: The file cannot be written.
    """
    replace_file(path, render_pdf(report), "report")


def render_pdf(report: Report) -> bytes:
    """Render the report as PDF."""
    from matplotlib.backends.backend_pdf import PdfPages

    pages = _Pages()
    _write_header(pages, report)
    _draw_preview(pages, report)
    pages.heading("Measurements")
    pages.table(report.measurements)
    pages.heading("Provenance")
    pages.table(report.provenance)
    content = io.BytesIO()
    # no date: it could identify the patient, and equal cases must give identical files
    metadata = {
        "Title": "Liver segmentation report",
        "Creator": report.software,
        "CreationDate": None,
    }
    with PdfPages(content, metadata=metadata) as pdf:
        for page in pages.pages:
            if page.texts:  # the last page may be empty
                pdf.savefig(page)
    return content.getvalue()


def _write_header(pages: _Pages, report: Report) -> None:
    pages.write(report.title, size=20, weight="bold")
    box = {"boxstyle": "round,pad=0.5", "facecolor": _COLOURS[report.light], "edgecolor": "none"}
    pages.write(report.light, x=_RIGHT, size=12, ha="right", bbox=box)
    pages.move_down(2.2)
    note = f"{report.modality}   {report.software}   {DISCLAIMER}"
    pages.write(note, color="#676c76")
    pages.move_down(1)
    pages.heading("Quality")
    pages.paragraph(report.verdict)
    for flag in report.flags:
        pages.paragraph(f"{flag.severity}: {flag.message} [{flag.code}]")
    for warning in report.warnings:
        pages.paragraph(warning)


def _draw_preview(pages: _Pages, report: Report) -> None:
    image = np.asarray(render_preview(report.volume, report.mask))
    width = _RIGHT - _LEFT
    height = width * _A4_INCHES[0] / _A4_INCHES[1] * image.shape[0] / image.shape[1]
    pages.move_down(1)
    if pages.at - height < _BOTTOM:
        pages.new_page()
    axes = pages.page.add_axes((_LEFT, pages.at - height, width, height))
    axes.imshow(image, aspect="auto", interpolation="none")  # unchanged
    axes.axis("off")
    pages.at -= height
    pages.move_down(1)
