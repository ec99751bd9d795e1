"""The columns of a comparison of networks, and how their values are formatted and ranked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from rma_mamba.evaluation.metric_samples import PRESENT, class_metric
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable

PAPER, PAPER_LIVER, VOLUME = "paper_per_slice_all", "paper_per_slice_liver", "per_volume"
CLASS = "per_class"

Value = Callable[[ComparisonTable, ComparisonRow], float]
Interval = Callable[[ComparisonTable, ComparisonRow], tuple[float, float]]


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        heading: Heading of the column.
        value: Value of a row; NaN if there is none.
        decimals: Number of decimals.
        best: Whether high or low values are better; None: values are not compared.
        interval: Limits of the confidence interval of a row; None: the column has no intervals.
        undefined: Number of volumes of a row that have no value and are missing in its mean; None: there are none.
        deviation: Standard deviation over the runs of a row, NaN if it has one; None: no mean over runs.
    """

    heading: str
    value: Value
    decimals: int
    best: Literal["high", "low"] | None
    interval: Interval | None = None
    undefined: Value | None = None
    deviation: Value | None = None

    def cell(self, table: ComparisonTable, row: ComparisonRow) -> str:
        """The formatted value of a row, with its deviation and interval if there are any; "-" if undefined."""
        value = self.value(table, row)
        if math.isnan(value):
            return "-"
        text = self._format(value)
        deviation = self.deviation(table, row) if self.deviation else math.nan
        if not math.isnan(deviation):
            text += f" ± {self._format(deviation)}"
        if self.interval is None:
            return text
        low, high = self.interval(table, row)
        return text if math.isnan(low) else f"{text} ({self._format(low)} to {self._format(high)})"

    def best_rows(self, table: ComparisonTable) -> set[str]:
        """Names of the rows with the best value as displayed; none if fewer than two rows have a value.

        A row without a value for some volumes ranks last: its mean leaves out the volumes that it failed on. So does
        a network whose training failed, in all or some of its runs.
        """
        compared = [row for row in table.rows if not row.failures]
        cells = {row.name: self.cell(table, row).split(" ")[0] for row in compared}
        values = {name: float(cell) for name, cell in cells.items() if cell != "-"}
        if len(values) < 2 or self.best is None:
            return set()
        if self.undefined is not None:
            complete = {row.name for row in table.rows if self.undefined(table, row) == 0}
            values = {name: value for name, value in values.items() if name in complete}
        if not values:
            return set()
        best = (max if self.best == "high" else min)(values.values())
        return {name for name, value in values.items() if value == best}

    def _format(self, value: float) -> str:
        return f"{value:.{self.decimals}f}"


def _mean(protocol: str, metric: str, scale: float = 1.0) -> Value:
    def value(table: ComparisonTable, row: ComparisonRow) -> float:
        found = table.metric(row, protocol, metric)
        return scale * found.mean if found else math.nan

    return value


def _interval(protocol: str, metric: str, scale: float = 1.0) -> Interval:
    def limits(table: ComparisonTable, row: ComparisonRow) -> tuple[float, float]:
        found = table.metric(row, protocol, metric)
        low, high = (found.mean_low, found.mean_high) if found else (math.nan, math.nan)
        return scale * low, scale * high

    return limits


def _deviation(protocol: str, metric: str, scale: float = 1.0) -> Value:
    def deviation(table: ComparisonTable, row: ComparisonRow) -> float:
        found = table.metric(row, protocol, metric)
        return scale * found.sd_over_runs if found else math.nan

    return deviation


def _worst_patient(table: ComparisonTable, row: ComparisonRow) -> float:
    found = table.metric(row, VOLUME, "dice")
    return found.worst if found else math.nan


def _undefined(protocol: str, metric: str) -> Value:
    def count(table: ComparisonTable, row: ComparisonRow) -> float:
        found = table.metric(row, protocol, metric)
        return found.undefined if found else math.nan

    return count


def _trained(_: ComparisonTable, row: ComparisonRow) -> float:
    known = [each for each in row.conditions.trained if each] if row.conditions else []
    return sum(known) / len(known) if known else math.nan


def _seed(_: ComparisonTable, row: ComparisonRow) -> float:
    """The seed of a network with one run; those of several are in the notes."""
    return row.conditions.seeds[0] if row.conditions and row.conditions.runs == 1 else math.nan


def _runs(_: ComparisonTable, row: ComparisonRow) -> float:
    return row.conditions.runs if row.conditions else math.nan


def _percentage(heading: str, metric: str) -> Column:
    deviation = _deviation(PAPER, metric, 100)
    return Column(heading, _mean(PAPER, metric, 100), 2, "high", deviation=deviation)


def _with_interval(
    heading: str, protocol: str, metric: str, decimals: int, best: Literal["high", "low"] | None
) -> Column:
    return Column(
        heading,
        _mean(protocol, metric),
        decimals,
        best,
        _interval(protocol, metric),
        _undefined(protocol, metric),
        _deviation(protocol, metric),
    )


def class_columns(table: ComparisonTable) -> tuple[Column, ...]:
    """Dice, HD95 and volumes without a distance of each class; none if the liver alone was scored."""
    return tuple(column for name in table.classes for column in _of_class(table, name))


def _of_class(table: ComparisonTable, name: str) -> Iterator[Column]:
    """The columns of a class; the Dice of all scans has no best value, because it rewards empty predictions."""
    dice, present = class_metric(name, "dice"), class_metric(name, PRESENT)
    distance = class_metric(name, "hd95_mm")
    yield _with_interval(f"{name}: Dice", CLASS, present, 3, "high")
    if table.lacks_class(name):
        yield _with_interval(f"{name}: Dice, all scans", CLASS, dice, 3, None)
    yield _with_interval(f"{name}: HD95, mm", CLASS, distance, 1, "low")
    yield Column(f"{name}: without distances", _undefined(CLASS, distance), 0, None)


def all_columns(table: ComparisonTable) -> tuple[Column, ...]:
    """The columns of a table that has all of them."""
    return (*PAPER_COLUMNS, *VOLUME_COLUMNS, *class_columns(table), *COST_COLUMNS)


PAPER_COLUMNS = (
    _percentage("Dice (%)", "dice"),
    _percentage("mIoU (%)", "iou"),
    _percentage("Recall (%)", "recall"),
    _percentage("Precision (%)", "precision"),
    _percentage("F2 (%)", "f2"),
    Column(
        "row distance",
        _mean(PAPER, "row_distance_paper"),
        2,
        "low",
        deviation=_deviation(PAPER, "row_distance_paper"),
    ),
    Column(
        "Dice, liver slices (%)",
        _mean(PAPER_LIVER, "dice", 100),
        2,
        "high",
        _interval(PAPER_LIVER, "dice", 100),
        deviation=_deviation(PAPER_LIVER, "dice", 100),
    ),
)
VOLUME_COLUMNS = (
    _with_interval("Dice", VOLUME, "dice", 3, "high"),
    Column("worst patient", _worst_patient, 3, "high"),
    _with_interval("HD95, mm", VOLUME, "hd95_mm", 1, "low"),
    _with_interval("ASSD, mm", VOLUME, "assd_mm", 2, "low"),
    _with_interval("surface Dice, 2 mm", VOLUME, "nsd_2mm", 3, "high"),
    Column("without distances", _undefined(VOLUME, "hd95_mm"), 0, None),
)
COST_COLUMNS = (
    Column("parameters, M", lambda _, row: row.costs.parameters / 1e6, 2, "low"),
    Column("GMACs", lambda _, row: row.costs.gigamacs, 2, "low"),
    Column("latency, ms", lambda _, row: row.costs.latency_ms, 0, "low"),
)
CONDITION_COLUMNS = (
    Column("epochs", _trained, 0, None),
    Column("seed", _seed, 0, None),
    Column("runs", _runs, 0, None),
)
