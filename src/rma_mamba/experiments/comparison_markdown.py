"""A comparison of networks as Markdown: the paper's metrics, volume metrics and costs, paired tests."""

from __future__ import annotations

from collections.abc import Sequence

from rma_mamba.experiments.comparison_columns import (
    COST_COLUMNS,
    PAPER,
    PAPER_COLUMNS,
    PAPER_LIVER,
    VOLUME,
    VOLUME_COLUMNS,
    Column,
)
from rma_mamba.experiments.comparison_notes import notes_below
from rma_mamba.experiments.comparison_table import ComparisonTable


def to_markdown(table: ComparisonTable) -> str:
    """Format a comparison as two tables with captions and notes, followed by paired tests of the Dice.

    Single slices have no volume: their second table has costs only, and their tests are of slices with liver.
    """
    has_volumes = any(table.metric(row, VOLUME, "dice") for row in table.rows)
    volumes = "Per volume, on the scan's own grid, and computational costs"
    parts = [
        f"## {table.title}",
        f"### The paper's protocol: each slice is a sample, at 256 x 256 ({table.group})",
        _sample_counts(table, PAPER),
        _markdown_table(table, PAPER_COLUMNS),
        notes_below(table, PAPER),
        f"### {volumes if has_volumes else 'Computational costs'} ({table.group})",
        _sample_counts(table, VOLUME),
        _markdown_table(table, (*(VOLUME_COLUMNS if has_volumes else ()), *COST_COLUMNS)),
        notes_below(table, VOLUME),
        _paired_tests(table, VOLUME if has_volumes else PAPER_LIVER),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(table: ComparisonTable, columns: Sequence[Column]) -> str:
    """The columns of all networks, with the best values in bold."""
    heading = ["network", *(column.heading for column in columns)]
    lines = ["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    best_rows = [column.best_rows(table) for column in columns]
    for row in table.rows:
        name = f"{row.name} ({row.publication})" if row.publication else row.name
        cells = [
            f"**{column.cell(table, row)}**" if row.name in best else column.cell(table, row)
            for column, best in zip(columns, best_rows, strict=True)
        ]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _sample_counts(table: ComparisonTable, protocol: str) -> str:
    """How many samples the values are based on, and how many predictions were empty."""
    found = [
        each
        for each in table.scores.empties
        if each.protocol == protocol and each.group == table.group
    ]
    if not found:
        return ""
    first = found[0]
    unit = "volumes" if protocol == VOLUME else "slices"
    without = first.both + first.reference
    text = f"{first.total} {unit} of {first.patients} patients, {without} of them without liver."
    missed = {each.method: each.prediction for each in found if each.prediction}
    if missed:
        listed = ", ".join(f"{name} {count}" for name, count in missed.items())
        text += f" Empty predictions although liver is present: {listed}."
    return text


def _paired_tests(table: ComparisonTable, protocol: str) -> str:
    key = (table.group, protocol, "dice")
    found = [each for each in table.scores.tests if (each.group, each.protocol, each.metric) == key]
    if not found:
        return ""
    what = "" if protocol == VOLUME else ", mean over the slices with liver"
    lines = [
        f"### Paired tests of the Dice per patient{what} (Wilcoxon signed-rank, Holm correction)",
        "",
        "| first | second | patients | mean difference | p | p (Holm) |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        lines.append(
            f"| {each.first} | {each.second} | {each.patients} | {each.mean_difference:+.3f} | "
            f"{each.p:.3f} | {each.p_holm:.3f} |"
        )
    return "\n".join(lines)
