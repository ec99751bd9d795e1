"""Columns format values with their intervals, and find the best row as a reader sees it."""

import math

import pytest

from rma_mamba.evaluation import ScoreSummary
from rma_mamba.experiments.comparison_columns import COST_COLUMNS, Column, all_columns
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable
from rma_mamba.experiments.costs import Costs


def table(*values: float) -> ComparisonTable:
    """A table whose rows have these latencies and no scores."""
    rows = tuple(
        ComparisonRow(f"network {number}", "", (), False, Costs(1_500_000, 2.0, value))
        for number, value in enumerate(values)
    )
    return ComparisonTable("title", "MR", 256, rows, ScoreSummary((), (), ()))


def column(best: str, width: float | None = None) -> Column:
    """The latency with one decimal, and an interval of this half width."""
    interval = None
    if width is not None:
        interval = lambda _, row: (row.costs.latency_ms - width, row.costs.latency_ms + width)  # noqa: E731
    return Column("latency", lambda _, row: row.costs.latency_ms, 1, best, interval)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "best", "expected"),
    [
        ((1.0, 2.0, 3.0), "low", {"network 0"}),
        ((1.0, 2.0, 3.0), "high", {"network 2"}),
        ((1.01, 1.04, 3.0), "low", {"network 0", "network 1"}),  # both are displayed as 1.0
        ((math.nan, 2.0, 3.0), "low", {"network 1"}),
        ((1.0,), "low", set()),
        ((math.nan, 2.0), "low", set()),
    ],
)
def test_the_best_rows_are_those_with_the_best_displayed_value(
    values: tuple[float, ...], best: str, expected: set[str]
) -> None:
    for width in (None, 0.5):
        assert column(best, width).best_rows(table(*values)) == expected


@pytest.mark.parametrize(
    ("value", "width", "expected"),
    [
        (1.26, None, "1.3"),
        (1.26, 0.5, "1.3 (0.8 to 1.8)"),
        (1.26, math.nan, "1.3"),
        (math.nan, 0.5, "-"),
    ],
)
def test_a_cell_shows_the_value_and_its_interval(
    value: float, width: float | None, expected: str
) -> None:
    content = table(value)
    assert column("high", width).cell(content, content.rows[0]) == expected


def test_without_scores_only_costs_have_values() -> None:
    content = table(12.0)
    shown = {each.heading: each.cell(content, content.rows[0]) for each in all_columns(content)}
    assert {heading for heading, cell in shown.items() if cell != "-"} == {
        each.heading for each in COST_COLUMNS
    }
    assert (shown["parameters, M"], shown["GMACs"], shown["latency, ms"]) == ("1.50", "2.00", "12")


def test_a_row_without_a_value_for_some_volumes_is_never_the_best() -> None:
    undefined = {"network 0": 1.0, "network 1": 0.0, "network 2": 0.0}
    compared = Column(
        "latency",
        lambda _, row: row.costs.latency_ms,
        1,
        "low",
        undefined=lambda _, row: undefined[row.name],
    )
    assert compared.best_rows(table(1.0, 2.0, 3.0)) == {"network 1"}
    undefined.update({"network 1": 2.0, "network 2": 1.0})
    assert compared.best_rows(table(1.0, 2.0, 3.0)) == set()


def test_a_column_that_is_not_compared_has_no_best_row() -> None:
    counts = Column("epochs", lambda _, row: row.costs.latency_ms, 0, None)
    assert counts.best_rows(table(1.0, 2.0)) == set()
