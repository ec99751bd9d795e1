"""The notes below the tables of a comparison: what the columns mean, and how the networks were trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rma_mamba.evaluation import POSTPROCESSING
from rma_mamba.evaluation.metric_samples import class_metric
from rma_mamba.experiments.comparison_columns import CLASS, PAPER, VOLUME
from rma_mamba.experiments.comparison_table import ComparisonRow, ComparisonTable, Conditions


def notes_below(table: ComparisonTable, *protocols: str) -> str:
    """Notes as one paragraph.

    Args:
        table: The comparison.
        protocols: Those of the table above; none: all.
    """
    shown = protocols or (PAPER, VOLUME, CLASS)
    parts = [
        *_failures(table),
        *_statistics(table),
        *(_paper_notes(table) if PAPER in shown else ()),
        *(_volume_notes(table) if VOLUME in shown else ()),
        *(_class_notes(table) if CLASS in shown and table.classes else ()),
        *_conditions(table),
    ]
    return " ".join(parts)


def _failures(table: ComparisonTable) -> Iterator[str]:
    """Networks that could not be trained, or not in all runs."""
    for row in table.rows:
        if row.failures and row.conditions is None:
            yield f"{row.name} was not trained, is in no comparison and ranks last: {'; '.join(row.failures)}."
        elif row.failures:
            total = len(row.failures) + (row.conditions.runs if row.conditions else 0)
            yield (
                f"{len(row.failures)} of {total} runs of {row.name} were not trained ({'; '.join(row.failures)}): its "
                "values are those of the others, and rank last."
            )


def _statistics(table: ComparisonTable) -> Iterator[str]:
    if not table.has_several_runs:
        yield "In parentheses: 95% bootstrap confidence interval of the mean, resampling patients."
        return
    yield "Mean over runs ± standard deviation of their means."
    yield "In parentheses: 95% bootstrap confidence interval of the mean, resampling patients and runs."
    yield "The worst patient has the worst mean over runs; volumes without distances are counted over all runs."


def _paper_notes(table: ComparisonTable) -> Iterator[str]:
    yield "The row distance is what the paper reports as HD; it is not a distance in mm."
    yield from _postprocessing(table, PAPER, "the paper's protocol", "dice")


def _volume_notes(table: ComparisonTable) -> Iterator[str]:
    size = f"{table.image_size} x {table.image_size}"
    if any(table.metric(row, VOLUME, "dice") for row in table.rows):
        yield (
            "Distances and surface Dice are undefined if only one mask is empty; such volumes are counted under "
            "'without distances', are missing in these means, and rank the network last in these columns."
        )
    yield from _postprocessing(table, VOLUME, "per volume", "dice")
    yield f"GMACs and latency (median, float32, networks run in turn): one image of {size} pixels."


def _class_notes(table: ComparisonTable) -> Iterator[str]:
    yield (
        "A region includes those inside it. The Dice of a class is the mean over scans whose reference has it; over "
        "all scans, it is 1 where both masks lack the class, 0 where only one does, and rewards empty predictions. "
        "Distances are 0 where both masks lack the class, and undefined where only one does."
    )
    yield from _postprocessing(table, CLASS, "per class", class_metric(table.classes[0], "dice"))


def _postprocessing(table: ComparisonTable, protocol: str, name: str, metric: str) -> Iterator[str]:
    found = [table.metric(row, protocol, metric) for row in table.rows]
    removed = {each.postprocessing for each in found if each}
    if removed:
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
    """Epochs, seeds and number of runs: one value if it is the same for all networks, else one for each."""
    found = [(row, row.conditions) for row in table.rows if row.conditions]
    yield "at most " + _shared([(row, _counted(str(each.epochs), "epoch")) for row, each in found])
    ended = [(row, _range(each.trained)) for row, each in found]
    if any(text for _, text in ended):
        yield "ended after " + _shared([(r, _counted(text, "epoch")) for r, text in ended if text])
    yield _shared([(row, _seeds(each)) for row, each in found])
    yield _shared([(row, _counted(str(each.runs), "run")) for row, each in found]) + " per network"


def _range(trained: Iterable[int | None]) -> str:
    known = sorted({each for each in trained if each is not None})
    return " to ".join(map(str, dict.fromkeys([*known[:1], *known[-1:]])))


def _counted(number: str, noun: str) -> str:
    """A number with its noun, such as "1 epoch" or "3 to 5 epochs"."""
    return f"{number} {noun}{'s' * (number != '1')}"


def _seeds(conditions: Conditions) -> str:
    listed = ", ".join(map(str, conditions.seeds))
    return f"seed{'s' * (conditions.runs != 1)} {listed}"


def _shared(values: list[tuple[ComparisonRow, str]]) -> str:
    distinct = {value for _, value in values}
    if len(distinct) == 1:
        return distinct.pop()
    return ", ".join(f"{value} ({row.name})" for row, value in values)
