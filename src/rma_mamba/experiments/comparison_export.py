"""A comparison of networks as LaTeX and CSV, with all columns in one table."""

from __future__ import annotations

import csv
import io
import math

from rma_mamba.experiments.comparison_columns import ALL_COLUMNS, CONDITION_COLUMNS
from rma_mamba.experiments.comparison_notes import notes_below
from rma_mamba.experiments.comparison_table import ComparisonTable

_DECIMALS = 6


def to_latex(table: ComparisonTable) -> str:
    """Format a comparison as a tabular with notes; requires the LaTeX package booktabs."""
    best_rows = [column.best_rows(table) for column in ALL_COLUMNS]
    lines = [
        f"% {_escape(table.title)}",
        r"\begin{tabular}{l" + "r" * len(ALL_COLUMNS) + "}",
        r"\toprule",
        " & ".join(["Method", *(_escape(column.heading) for column in ALL_COLUMNS)]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = [_escape(row.name)]
        for column, best in zip(ALL_COLUMNS, best_rows, strict=True):
            cell = _escape(column.cell(table, row))
            cells.append(rf"\textbf{{{cell}}}" if row.name in best else cell)
        lines.append(" & ".join(cells) + r" \\")
    notes = _escape(notes_below(table))
    return "\n".join(
        [*lines, r"\bottomrule", r"\end{tabular}", "", rf"{{\footnotesize {notes}}}", ""]
    )


def to_csv(table: ComparisonTable) -> str:
    """Format a comparison as CSV: a line per network, unformatted values, interval limits in their own columns.

    The last column repeats the notes that stand below the other tables.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heading = ["network", "publication"]
    for column in (*ALL_COLUMNS, *CONDITION_COLUMNS):
        limits = [f"{column.heading}, low", f"{column.heading}, high"]
        heading += [column.heading, *(limits if column.interval else [])]
    writer.writerow([*heading, "notes"])
    notes = notes_below(table)
    for row in table.rows:
        cells: list[object] = [row.name, row.publication]
        for column in (*ALL_COLUMNS, *CONDITION_COLUMNS):
            values = [column.value(table, row)]
            values += column.interval(table, row) if column.interval else ()
            cells += ["" if math.isnan(value) else round(value, _DECIMALS) for value in values]
        writer.writerow([*cells, notes])
    return text.getvalue()


def _escape(text: str) -> str:
    for symbol in "&%_#":
        text = text.replace(symbol, "\\" + symbol)
    return text
