"""All that is said about scores, made in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.comparison import PairedTest, paired_tests
from rma_mamba.evaluation.metric_summaries import (
    EmptyCounts,
    MetricSummary,
    count_empties,
    summarise,
)
from rma_mamba.metrics import RESAMPLES


@dataclass(frozen=True)
class ScoreSummary:
    """Summaries, counts of empty masks and paired tests of the same cases.

    Args:
        summaries: One of each metric, method and group.
        empties: One of each protocol, method and group.
        tests: One of each metric, pair of methods and group.
        resamples, seed: Of the bootstrap behind the intervals.
    """

    summaries: tuple[MetricSummary, ...]
    empties: tuple[EmptyCounts, ...]
    tests: tuple[PairedTest, ...]
    resamples: int = RESAMPLES
    seed: int = 0

    @classmethod
    def of(
        cls, cases: Sequence[CaseScore], *, resamples: int = RESAMPLES, seed: int = 0
    ) -> ScoreSummary:
        """The report on cases of one or more methods."""
        return cls(
            tuple(summarise(cases, resamples=resamples, seed=seed)),
            tuple(count_empties(cases)),
            tuple(paired_tests(cases, resamples=resamples, seed=seed)),
            resamples,
            seed,
        )
