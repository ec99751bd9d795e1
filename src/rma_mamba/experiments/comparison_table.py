"""The content of a comparison of networks: scores, costs and training conditions, one row per network."""

from __future__ import annotations

from dataclasses import dataclass

from rma_mamba.evaluation import MetricSummary, ScoreSummary
from rma_mamba.experiments.costs import Costs


@dataclass(frozen=True)
class Conditions:
    """How a network was trained.

    Args:
        seeds: Random seed of each training run.
        epochs: Largest number of epochs.
        trained: Number of epochs after which each run ended; None: unknown.
    """

    seeds: tuple[int, ...]
    epochs: int
    trained: tuple[int | None, ...] = ()

    @property
    def runs(self) -> int:
        """Number of training runs that the scores are based on."""
        return len(self.seeds)

    @property
    def trained_by_seed(self) -> dict[int | None, int | None]:
        """Number of epochs after which the run of each seed ended."""
        return dict(zip(self.seeds, self.trained, strict=False))


@dataclass(frozen=True)
class ComparisonRow:
    """One network.

    Args:
        name: Name of the network, as in the scores.
        publication: Where it was published; may be empty.
        own_settings: Recipe settings of this network only.
        pretrained: Whether it started from trained weights.
        costs: Computational costs.
        conditions: How it was trained; None: unknown, or not trained.
        failures: Why training runs of it failed, one phrase each.
    """

    name: str
    publication: str
    own_settings: tuple[str, ...]
    pretrained: bool
    costs: Costs
    conditions: Conditions | None = None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparisonTable:
    """Everything that is shown in the tables of a benchmark.

    Args:
        title: Heading.
        group: Group of sources that the table shows.
        image_size: Height and width of the image with which costs were measured, in pixels.
        rows: The networks.
        scores: Summary of the scores of all networks.
        notes: Conditions of all networks, one sentence each.
        lesions: Tables of the lesions of all classes, in Markdown; empty if there are none.
    """

    title: str
    group: str
    image_size: int
    rows: tuple[ComparisonRow, ...]
    scores: ScoreSummary
    notes: tuple[str, ...] = ()
    lesions: str = ""

    @property
    def has_several_runs(self) -> bool:
        """Whether a network was trained more than once."""
        return any(row.conditions and row.conditions.runs > 1 for row in self.rows)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that were scored; empty if the liver alone was."""
        found = [each for each in self.scores.empties if each.group == self.group]
        return tuple(dict.fromkeys(each.class_name for each in found if each.class_name))

    def lacks_class(self, name: str) -> bool:
        """Whether a reference has no voxel of a class."""
        counts = [each for each in self.scores.empties if each.group == self.group]
        return any(each.both + each.reference for each in counts if each.class_name == name)

    def metric(self, row: ComparisonRow, protocol: str, name: str) -> MetricSummary | None:
        """The summary of a metric for one network; None if it was not measured."""
        key = (row.name, self.group, protocol, name)
        for each in self.scores.summaries:
            if (each.method, each.group, each.protocol, each.metric) == key:
                return each
        return None
