"""A comparison of networks as LaTeX and CSV, with all columns in one table."""

from __future__ import annotations

import csv
import io
import math

from rma_mamba.experiments.comparison_columns import CONDITION_COLUMNS, Column, all_columns
from rma_mamba.experiments.comparison_notes import notes_below
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable

_DECIMALS = 6


def to_latex(table: ComparisonTable) -> str:
    """Format a comparison as a tabular with notes; requires the LaTeX package booktabs."""
    columns = all_columns(table)
    best_rows = [column.best_rows(table) for column in columns]
    lines = [
        f"% {_escape(table.title)}",
        r"\begin{tabular}{l" + "r" * len(columns) + "}",
        r"\toprule",
        " & ".join(["Method", *(_escape(column.heading) for column in columns)]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = [_escape(row.name)]
        for column, best in zip(columns, best_rows, strict=True):
            cell = _escape(column.cell(table, row))
            cells.append(rf"\textbf{{{cell}}}" if row.name in best else cell)
        lines.append(" & ".join(cells) + r" \\")
    notes = _escape(notes_below(table))
    return "\n".join(
        [*lines, r"\bottomrule", r"\end{tabular}", "", rf"{{\footnotesize {notes}}}", ""]
    )


def to_csv(table: ComparisonTable) -> str:
    """Format a comparison as CSV: a line per network, unformatted values, interval limits in their own columns.

    With several runs, columns that end in ", SD" have the standard deviation over runs. The last column repeats the
    notes that stand below the other tables.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = (*all_columns(table), *CONDITION_COLUMNS)
    headings = [heading for column in columns for heading, _ in _values(table, column, None)]
    writer.writerow(["network", "publication", *headings, "notes"])
    notes = notes_below(table)
    for row in table.rows:
        values = [value for column in columns for _, value in _values(table, column, row)]
        cells = ["" if math.isnan(value) else round(value, _DECIMALS) for value in values]
        writer.writerow([row.name, row.publication, *cells, notes])
    return text.getvalue()


def _values(
    table: ComparisonTable, column: Column, row: ComparisonRow | None
) -> list[tuple[str, float]]:
    """Headings and values of a column: the value, its deviation and its limits; None: headings only."""
    value = column.value(table, row) if row else math.nan
    found = [(column.heading, value)]
    if column.deviation and table.has_several_runs:
        deviation = column.deviation(table, row) if row else math.nan
        found.append((f"{column.heading}, SD", deviation))
    if column.interval:
        low, high = column.interval(table, row) if row else (math.nan, math.nan)
        found += [(f"{column.heading}, low", low), (f"{column.heading}, high", high)]
    return found


def _escape(text: str) -> str:
    for symbol in "&%_#":
        text = text.replace(symbol, "\\" + symbol)
    return text.replace("±", r"$\pm$")
