"""A report as a PDF of A4 pages with embedded fonts, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import textwrap
import warnings
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rma_mamba.environment import load_matplotlib
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
_ROW = 0.95  # lines from one row of a table to the next
_GREY = "#676c76"

# Sizes that are tried; the smallest text has 6 points.
_SCALES = (1.0, 0.93, 0.86, 0.8)
_MIN_FILL = 1 / 3  # of the last page


@dataclass(frozen=True)
class _Columns:
    """Where a table stands on the page, and how many characters fit in a line of its two columns."""

    names: float
    values: float
    name_width: int
    value_width: int


_WIDE = _Columns(_LEFT, 0.36, 42, 72)
_SIDE_BY_SIDE = (_Columns(_LEFT, 0.385, 42, 12), _Columns(0.5, 0.72, 25, 24))


class _Pages:
    """The pages of the PDF, filled from top to bottom; line height and font size are multiplied by `scale`."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
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

    @property
    def line(self) -> float:
        """Height of a line, relative to the page."""
        return _LINE * self.scale

    @property
    def filled(self) -> list[Figure]:
        """The pages; the last one may be empty, and is left out then."""
        return [page for page in self.pages if page.texts]

    @property
    def ends_well(self) -> bool:
        """Whether there is one page, or the last one is not nearly empty."""
        last = (_TOP - self.at) / (_TOP - _BOTTOM) if self.page.texts else 1
        return len(self.filled) == 1 or last >= _MIN_FILL

    def write(self, text: str, x: float = _LEFT, size: float = 9, **style: Any) -> None:
        """Write a line of text at the current height."""
        font = size * self.scale
        self.page.text(x, self.at, text, fontsize=font, va="top", **style, parse_math=False)

    def move_down(self, lines: float = 1) -> None:
        """Move down; start a new page at the bottom of this one."""
        self.at -= lines * self.line
        if self.at < _BOTTOM:
            self.new_page()

    def paragraph(self, text: str) -> None:
        """Write wrapped text."""
        for line in textwrap.wrap(text, round(_TEXT_WIDTH / self.scale)):
            self.write(line)
            self.move_down()

    def heading(self, text: str) -> None:
        """Write a heading with space above it, on the same page as the text below."""
        self.move_down(1)
        if self.at - _KEEP_TOGETHER * self.line < _BOTTOM:
            self.new_page()
        self.write(text, size=12, weight="bold")
        self.move_down(1.6)

    def table(self, rows: Rows, columns: _Columns = _WIDE) -> None:
        """Write names and values in two columns."""
        for name, value in rows:
            for first, second in self._lines(name, value, columns):
                self.write(first, x=columns.names, size=8, color=_GREY)
                self.write(second, x=columns.values, size=8)
                self.move_down(_ROW)

    def tables(self, tables: dict[str, Rows]) -> None:
        """Write two tables with their headings: side by side if they fit on a page, else one below the other."""
        pairs = list(zip(tables.items(), _SIDE_BY_SIDE, strict=True))
        height = max(self._height(rows, columns) for (_, rows), columns in pairs)
        if height + _KEEP_TOGETHER * self.line > _TOP - _BOTTOM:
            for name, rows in tables.items():
                self.heading(name)
                self.table(rows)
            return
        if self.at - height - _KEEP_TOGETHER * self.line < _BOTTOM:
            self.new_page()
        top, lowest = self.at, self.at
        for (name, rows), columns in pairs:
            self.at = top
            self.move_down(1)
            self.write(name, x=columns.names, size=12, weight="bold")
            self.move_down(1.6)
            self.table(rows, columns)
            lowest = min(lowest, self.at)
        self.at = lowest

    def _lines(self, name: str, value: str, columns: _Columns) -> list[tuple[str, str]]:
        """The lines of one row."""
        names = textwrap.wrap(name, round(columns.name_width / self.scale))
        values = textwrap.wrap(value, round(columns.value_width / self.scale))
        return list(zip_longest(names, values, fillvalue=""))

    def _height(self, rows: Rows, columns: _Columns) -> float:
        lines = sum(len(self._lines(name, value, columns)) for name, value in rows)
        return lines * _ROW * self.line


def write_pdf(report: Report, path: Path) -> None:
    """Write the report as PDF, without the interactive surface, atomically.

    The same case always gives an identical file.

    Raises:
        GridError: The mask is not on the scan's grid.
        ScanError: The file cannot be written.
    """
    load_matplotlib(path.parent)
    replace_file(path, render_pdf(report), "report")


def render_pdf(report: Report) -> bytes:
    """Render the report as PDF."""
    from matplotlib.backends.backend_pdf import PdfPages

    image = np.asarray(render_preview(report.volume, report.mask))
    pages = layout(report, image)
    content = io.BytesIO()
    # no date: it could identify the patient, and equal cases must give identical files
    metadata = {
        "Title": "Liver segmentation report",
        "Creator": report.software,
        "CreationDate": None,
    }
    with warnings.catch_warnings(), PdfPages(content, metadata=metadata) as pdf:
        warnings.filterwarnings("ignore", "Glyph")  # a name in a script that the font lacks
        for page in pages.filled:
            pdf.savefig(page)
    return content.getvalue()


def layout(report: Report, preview: npt.NDArray[np.uint8]) -> _Pages:
    """The pages: none nearly empty, then as few as possible, then in the largest size."""
    layouts = [_laid_out(report, preview, scale) for scale in _SCALES]
    return min(layouts, key=lambda each: (not each.ends_well, len(each.filled)))


def _laid_out(report: Report, preview: npt.NDArray[np.uint8], scale: float) -> _Pages:
    pages = _Pages(scale)
    _write_header(pages, report)
    _draw_preview(pages, preview)
    pages.tables({"Measurements": report.measurements, "Provenance": report.provenance})
    return pages


def _write_header(pages: _Pages, report: Report) -> None:
    pages.write(report.title, size=20, weight="bold")
    box = {"boxstyle": "round,pad=0.5", "facecolor": _COLOURS[report.light], "edgecolor": "none"}
    pages.write(report.light, x=_RIGHT, size=12, ha="right", bbox=box)
    pages.move_down(2.2)
    if report.identity:
        pages.paragraph("   ".join(f"{name}: {value}" for name, value in report.identity))
    note = f"{report.modality}   {report.software}   {DISCLAIMER}"
    pages.write(note, color=_GREY)
    pages.move_down(1)
    pages.heading("Quality")
    pages.paragraph(report.verdict)
    for flag in report.flags:
        pages.paragraph(f"{flag.severity}: {flag.message} [{flag.code}]")
    for warning in report.warnings:
        pages.paragraph(warning)


def _draw_preview(pages: _Pages, image: npt.NDArray[np.uint8]) -> None:
    width = (_RIGHT - _LEFT) * pages.scale
    height = width * _A4_INCHES[0] / _A4_INCHES[1] * image.shape[0] / image.shape[1]
    pages.move_down(1)
    if pages.at - height < _BOTTOM:
        pages.new_page()
    axes = pages.page.add_axes((_LEFT, pages.at - height, width, height))
    axes.imshow(image, aspect="auto", interpolation="none")  # unchanged
    axes.axis("off")
    pages.at -= height
    pages.move_down(1)
