"""The tables of a benchmark: the paper's columns, then right ones with intervals, then what it costs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rma_mamba.evaluation import MetricSummary, ScoreSummary
from rma_mamba.experiments.costs import Costs

_PAPER = "paper_per_slice_all"
_LIVER = "paper_per_slice_liver"
_VOLUME = "per_volume"
Best = Literal["high", "low"]


@dataclass(frozen=True)
class Row:
    """One network.

    Args:
        name: As in the scores.
        publication: Shown beside it.
        exceptions: Settings that are its alone.
        pretrained: Whether it started from a file of weights.
        costs: Of the network.
    """

    name: str
    publication: str
    exceptions: tuple[str, ...]
    pretrained: bool
    costs: Costs


@dataclass(frozen=True)
class Table:
    """Everything that is shown.

    Args:
        title: Heading.
        group: Of sources, that the table is about.
        side: Of the image behind operations and latency.
        rows: The networks.
        report: On the scores of all of them.
    """

    title: str
    group: str
    side: int
    rows: tuple[Row, ...]
    report: ScoreSummary

    def summary(self, row: Row, protocol: str, metric: str) -> MetricSummary | None:
        """One number of one row, with all that belongs to it."""
        wanted = (row.name, self.group, protocol, metric)
        for each in self.report.summaries:
            if (each.method, each.group, each.protocol, each.metric) == wanted:
                return each
        return None


@dataclass(frozen=True)
class _Column:
    """A column: its heading, its number in a row (NaN: none), how that is shown, and which one is best."""

    heading: str
    number: Callable[[Table, Row], float]
    shown: Callable[[float], str]
    best: Best
    interval: Callable[[Table, Row], tuple[float, float]] | None = None

    def cell(self, table: Table, row: Row) -> str:
        value = self.number(table, row)
        if math.isnan(value):
            return "-"
        text = self.shown(value)
        if self.interval is None or math.isnan(self.interval(table, row)[0]):
            return text
        low, high = (self.shown(each) for each in self.interval(table, row))
        return f"{text} ({low} to {high})"

    def winners(self, table: Table) -> set[str]:
        """Rows that show the best number; of one row, none."""
        cells = {row.name: self.cell(table, row).split(" ")[0] for row in table.rows}
        numbers = [float(cell) for cell in cells.values() if cell != "-"]
        if len(numbers) < 2:
            return set()
        best = max(numbers) if self.best == "high" else min(numbers)
        return {name for name, cell in cells.items() if cell != "-" and float(cell) == best}


def _mean(protocol: str, metric: str, scale: float = 1.0) -> Callable[[Table, Row], float]:
    def number(table: Table, row: Row) -> float:
        found = table.summary(row, protocol, metric)
        return scale * found.mean if found else math.nan

    return number


def _interval(
    protocol: str, metric: str, scale: float = 1.0
) -> Callable[[Table, Row], tuple[float, float]]:
    def ends(table: Table, row: Row) -> tuple[float, float]:
        found = table.summary(row, protocol, metric)
        low, high = (found.mean_low, found.mean_high) if found else (math.nan, math.nan)
        return scale * low, scale * high

    return ends


def _worst(table: Table, row: Row) -> float:
    found = table.summary(row, _VOLUME, "dice")
    return found.worst if found else math.nan


def _digits(count: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{count}f}"


def _volume_column(heading: str, metric: str, digits: int, best: Best) -> _Column:
    number, interval = _mean(_VOLUME, metric), _interval(_VOLUME, metric)
    return _Column(heading, number, _digits(digits), best, interval)


PAPER_COLUMNS = (
    _Column("Dice (%)", _mean(_PAPER, "dice", 100), _digits(2), "high"),
    _Column("mIoU (%)", _mean(_PAPER, "iou", 100), _digits(2), "high"),
    _Column("Recall (%)", _mean(_PAPER, "recall", 100), _digits(2), "high"),
    _Column("Precision (%)", _mean(_PAPER, "precision", 100), _digits(2), "high"),
    _Column("F2 (%)", _mean(_PAPER, "f2", 100), _digits(2), "high"),
    _Column("row distance", _mean(_PAPER, "row_distance_paper"), _digits(2), "low"),
    _Column(
        "Dice, liver slices (%)",
        _mean(_LIVER, "dice", 100),
        _digits(2),
        "high",
        _interval(_LIVER, "dice", 100),
    ),
)
VOLUME_COLUMNS = (
    _volume_column("Dice", "dice", 3, "high"),
    _Column("worst patient", _worst, _digits(3), "high"),
    _volume_column("HD95, mm", "hd95_mm", 1, "low"),
    _volume_column("ASSD, mm", "assd_mm", 2, "low"),
    _volume_column("surface Dice, 2 mm", "nsd_2mm", 3, "high"),
)
COST_COLUMNS = (
    _Column("parameters, M", lambda _, row: row.costs.parameters / 1e6, _digits(2), "low"),
    _Column("GMACs", lambda _, row: row.costs.gigamacs, _digits(2), "low"),
    _Column("latency, ms", lambda _, row: row.costs.latency_ms, _digits(0), "low"),
)


def to_markdown(table: Table) -> str:
    """Two tables, what was counted, and the paired tests on volumes."""
    parts = [
        f"## {table.title}",
        f"### The paper's protocol: one slice is one sample, at 256 x 256 ({table.group})",
        _counts(table, _PAPER),
        _markdown(table, PAPER_COLUMNS),
        f"### Per volume, on the scan's own grid, and what it costs ({table.group})",
        _counts(table, _VOLUME),
        _markdown(table, (*VOLUME_COLUMNS, *COST_COLUMNS)),
        _footnotes(table),
        _tests(table),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown(table: Table, columns: Sequence[_Column]) -> str:
    heading = ["network", *(column.heading for column in columns)]
    lines = ["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    winners = [column.winners(table) for column in columns]
    for row in table.rows:
        name = f"{row.name} ({row.publication})" if row.publication else row.name
        cells = [
            f"**{column.cell(table, row)}**" if row.name in best else column.cell(table, row)
            for column, best in zip(columns, winners, strict=True)
        ]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _counts(table: Table, protocol: str) -> str:
    """How many samples stand behind the numbers, and how many masks were empty."""
    found = [
        each
        for each in table.report.empties
        if each.protocol == protocol and each.group == table.group
    ]
    if not found:
        return ""
    first = found[0]
    what = "volumes" if protocol == _VOLUME else "slices"
    without = first.both + first.reference
    text = f"{first.total} {what} of {first.patients} patients, {without} of them without liver."
    missed = {each.method: each.prediction for each in found if each.prediction}
    if missed:
        listed = ", ".join(f"{name} {count}" for name, count in missed.items())
        text += f" Nothing found where there is liver: {listed}."
    return text


def _footnotes(table: Table) -> str:
    text = (
        "In brackets: 95 % bootstrap interval of the mean, which draws patients. "
        f"GMACs and latency (median, float32, in turn with the others): one image of {table.side} x "
        f"{table.side}. The row distance is what the paper prints as HD: not a distance in mm."
    )
    started = [row.name for row in table.rows if row.pretrained]
    text += f" Started from trained weights: {', '.join(started) or 'none'}; the others at random."
    exceptions = [
        f"{row.name}: {', '.join(row.exceptions)}" for row in table.rows if row.exceptions
    ]
    return text + (
        f" Settings of one network alone: {'; '.join(exceptions)}." if exceptions else ""
    )


def _tests(table: Table) -> str:
    found = [
        each
        for each in table.report.tests
        if (each.group, each.protocol, each.metric) == (table.group, _VOLUME, "dice")
    ]
    if not found:
        return ""
    lines = [
        "### Paired tests of Dice per patient (Wilcoxon, Holm)",
        "",
        "| first | second | patients | mean difference | p | p, Holm |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        lines.append(
            f"| {each.first} | {each.second} | {each.patients} | {each.mean_difference:+.3f} | "
            f"{each.p:.3f} | {each.p_holm:.3f} |"
        )
    return "\n".join(lines)


def to_latex(table: Table) -> str:
    """One tabular with all columns; needs the package booktabs."""
    columns = (*PAPER_COLUMNS, *VOLUME_COLUMNS, *COST_COLUMNS)
    winners = [column.winners(table) for column in columns]
    lines = [
        f"% {_escaped(table.title)}",
        r"\begin{tabular}{l" + "r" * len(columns) + "}",
        r"\toprule",
        " & ".join(["Method", *(_escaped(column.heading) for column in columns)]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = [_escaped(row.name)]
        for column, best in zip(columns, winners, strict=True):
            cell = _escaped(column.cell(table, row))
            cells.append(rf"\textbf{{{cell}}}" if row.name in best else cell)
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escaped(text: str) -> str:
    for symbol in "&%_#":
        text = text.replace(symbol, "\\" + symbol)
    return text


def to_csv(table: Table) -> str:
    """One line a network; numbers as they are, intervals in columns of their own."""
    columns = (*PAPER_COLUMNS, *VOLUME_COLUMNS, *COST_COLUMNS)
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    heading = ["network", "publication"]
    for column in columns:
        ends = [f"{column.heading}, low", f"{column.heading}, high"]
        heading += [column.heading, *(ends if column.interval else [])]
    write(heading)
    for row in table.rows:
        cells: list[object] = [row.name, row.publication]
        for column in columns:
            values = [column.number(table, row)]
            values += column.interval(table, row) if column.interval else ()
            cells += ["" if math.isnan(value) else round(value, 6) for value in values]
        write(cells)
    return text.getvalue()
