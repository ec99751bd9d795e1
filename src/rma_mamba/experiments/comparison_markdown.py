"""A comparison of networks as Markdown: the paper's metrics, volume metrics and costs, paired tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rma_mamba.evaluation import EmptyCounts
from rma_mamba.evaluation.metric_samples import PRESENT, class_metric
from rma_mamba.experiments.comparison_columns import (
    CLASS,
    COST_COLUMNS,
    PAPER,
    PAPER_COLUMNS,
    PAPER_LIVER,
    VOLUME,
    VOLUME_COLUMNS,
    Column,
    class_columns,
)
from rma_mamba.experiments.comparison_notes import notes_below
from rma_mamba.experiments.comparison_table import ComparisonTable


def to_markdown(table: ComparisonTable) -> str:
    """Format a comparison as tables with captions and notes, followed by paired tests of the Dice.

    Single slices have no volume: their second table has costs only, and their tests are of slices with liver. Several
    classes have a third table, and several runs of a network a table of runs.
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
        *_classes(table),
        _runs(table, VOLUME if has_volumes else PAPER_LIVER),
        _paired_tests(table, VOLUME if has_volumes else PAPER_LIVER, "dice", "Dice per patient"),
        *(
            _paired_tests(table, CLASS, class_metric(name, PRESENT), f"{name} Dice per patient")
            for name in table.classes
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _classes(table: ComparisonTable) -> list[str]:
    """The table of classes, and those of their lesions; nothing if the liver alone was scored."""
    if not table.classes:
        return []
    return [
        f"### Per class, on the scan's own grid ({table.group})",
        _class_counts(table),
        _markdown_table(table, class_columns(table)),
        notes_below(table, CLASS),
        table.lesions,
    ]


def _runs(table: ComparisonTable, protocol: str) -> str:
    """The Dice of every run; empty if each network has one."""
    key = (table.group, protocol, "dice")
    found = [each for each in table.scores.runs if (each.group, each.protocol, each.metric) == key]
    if not found:
        return ""
    what = "mean over patients" if protocol == VOLUME else "mean over the slices with liver"
    lines = ["| network | seed | epochs | Dice |", "|---|---|---|---|"]
    for row in table.rows:
        means = {each.run: each.mean for each in found if each.method == row.name}
        trained = row.conditions.trained_by_seed if row.conditions else {}
        for seed, mean in means.items():
            epochs = trained.get(seed)
            shown = f"{'-' if epochs is None else epochs} | {mean:.3f}"
            lines.append(f"| {row.name} | {seed} | {shown} |")
    return "\n".join([f"### Runs: {what}", "", *lines])


def _markdown_table(table: ComparisonTable, columns: Sequence[Column]) -> str:
    """The columns of all networks, with the best values in bold."""
    heading = ["network", *(column.heading for column in columns)]
    lines = ["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    best_rows = [column.best_rows(table) for column in columns]
    for row in table.rows:
        name = f"{row.name} ({row.publication})" if row.publication else row.name
        if row.failures and row.conditions is None:
            name += ", not trained"
        cells = [
            f"**{column.cell(table, row)}**" if row.name in best else column.cell(table, row)
            for column, best in zip(columns, best_rows, strict=True)
        ]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _sample_counts(table: ComparisonTable, protocol: str) -> str:
    """How many samples the values are based on, and how many predictions were empty."""
    found = _counts(table, protocol)
    if not found:
        return ""
    first = found[0]
    unit = "volumes" if protocol == VOLUME else "slices"
    without = (first.both + first.reference) // first.runs
    text = f"{first.total // first.runs} {unit} of {first.patients} patients, {without} of them without liver."
    missed = {each.method: each.prediction for each in found if each.prediction}
    if missed:
        listed = ", ".join(f"{name} {count}" for name, count in missed.items())
        runs = " (over all runs)" if table.has_several_runs else ""
        text += f" Empty predictions although liver is present{runs}: {listed}."
    return text


def _class_counts(table: ComparisonTable) -> str:
    """How many cases contain each class."""
    found = {each.class_name: each for each in reversed(_counts(table, CLASS))}
    counts = [found[name] for name in table.classes]
    listed = ", ".join(
        f"{(each.neither + each.prediction) // each.runs} {each.class_name}" for each in counts
    )
    first = counts[0]
    return f"{first.total // first.runs} cases of {first.patients} patients; with each class: {listed}."


def _counts(table: ComparisonTable, protocol: str) -> list[EmptyCounts]:
    key = (protocol, table.group)
    return [each for each in table.scores.empties if (each.protocol, each.group) == key]


def _paired_tests(table: ComparisonTable, protocol: str, metric: str, of: str) -> str:
    key = (table.group, protocol, metric)
    found = [each for each in table.scores.tests if (each.group, each.protocol, each.metric) == key]
    if not found:
        return ""
    what = ", mean over the slices with liver" if protocol == PAPER_LIVER else ""
    what += ", mean over runs" if table.has_several_runs else ""
    lines = [
        f"### Paired tests of the {of}{what} (Wilcoxon signed-rank, Holm correction)",
        "",
        "| first | second | patients | mean difference | 95% CI | p | p (Holm) |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        low, high = each.difference_low, each.difference_high
        interval = "-" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}"
        lines.append(
            f"| {each.first} | {each.second} | {each.patients} | {each.mean_difference:+.3f} | {interval} | "
            f"{each.p:.3f} | {each.p_holm:.3f} |"
        )
    return "\n".join(lines)
