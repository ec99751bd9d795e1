"""The notes below the tables of a comparison: what the columns mean, and how the networks were trained."""

from __future__ import annotations

from collections.abc import Iterator

from rma_mamba.evaluation import POSTPROCESSING
from rma_mamba.experiments.comparison_columns import PAPER, VOLUME
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable


def notes_below(table: ComparisonTable, protocol: str | None = None) -> str:
    """Notes as one paragraph.

    Args:
        table: The comparison.
        protocol: That of the table above; None: both.
    """
    paper, volume = protocol in (None, PAPER), protocol in (None, VOLUME)
    parts = [
        "In parentheses: 95% bootstrap confidence interval of the mean, resampling patients.",
        *(_paper_notes(table) if paper else ()),
        *(_volume_notes(table) if volume else ()),
        *_conditions(table),
    ]
    return " ".join(parts)


def _paper_notes(table: ComparisonTable) -> Iterator[str]:
    yield "The row distance is what the paper reports as HD; it is not a distance in mm."
    yield from _postprocessing(table, PAPER)


def _volume_notes(table: ComparisonTable) -> Iterator[str]:
    size = f"{table.image_size} x {table.image_size}"
    if any(table.metric(row, VOLUME, "dice") for row in table.rows):
        yield (
            "Distances and surface Dice are undefined if only one mask is empty; such volumes are counted under "
            "'without distances', are missing in these means, and rank the network last in these columns."
        )
    yield from _postprocessing(table, VOLUME)
    yield f"GMACs and latency (median, float32, networks run in turn): one image of {size} pixels."


def _postprocessing(table: ComparisonTable, protocol: str) -> Iterator[str]:
    found = [table.metric(row, protocol, "dice") for row in table.rows]
    removed = {each.postprocessing for each in found if each}
    if removed:
        name = "the paper's protocol" if protocol == PAPER else "per volume"
        yield f"Post-processing, {name}: {POSTPROCESSING[', '.join(sorted(removed))]}."


def _conditions(table: ComparisonTable) -> Iterator[str]:
    """How the networks were trained, and the differences between them."""
    pretrained = ", ".join(row.name for row in table.rows if row.pretrained)
    if pretrained:
        yield f"Initialised from trained weights: {pretrained}; all others randomly."
    else:
        yield "All networks were initialised randomly."
    if any(row.conditions for row in table.rows):
        yield f"Training: {'; '.join(_training(table))}."
    own = "; ".join(
        f"{row.name}: {', '.join(row.own_settings)}" for row in table.rows if row.own_settings
    )
    if own:
        yield f"Settings of individual networks: {own}."
    yield from table.notes


def _training(table: ComparisonTable) -> Iterator[str]:
    """Epochs, seed and number of runs: one value if it is the same for all networks, else one for each."""
    found = [(row, row.conditions) for row in table.rows if row.conditions]
    yield "at most " + _shared([(row, f"{each.epochs} epochs") for row, each in found])
    trained = [(row, f"{each.trained} epochs") for row, each in found if each.trained is not None]
    if trained:
        yield "ended after " + _shared(trained)
    yield _shared([(row, f"seed {each.seed}") for row, each in found])
    yield _shared([(row, f"{each.runs} run{'s' * (each.runs != 1)}") for row, each in found]) + (
        " per network"
    )


def _shared(values: list[tuple[ComparisonRow, str]]) -> str:
    distinct = {value for _, value in values}
    if len(distinct) == 1:
        return distinct.pop()
    return ", ".join(f"{value} ({row.name})" for row, value in values)
