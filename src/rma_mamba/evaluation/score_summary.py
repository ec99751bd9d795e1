"""Summary of the scores of many cases: statistics, counts of empty masks, and paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.comparison import PairedTest, paired_tests
from rma_mamba.evaluation.metric_summaries import (
    EmptyCounts,
    MetricSummary,
    RunMean,
    count_empties,
    run_means,
    summarise,
)
from rma_mamba.metrics import RESAMPLES


@dataclass(frozen=True)
class ScoreSummary:
    """Summary statistics, counts of empty masks and paired tests of the same cases.

    Args:
        summaries: One per metric, method and group.
        empties: One per protocol, method and group.
        tests: One per metric, pair of methods and group.
        resamples, seed: Number of resamples and random seed of the bootstrap intervals.
        runs: One per metric, run and group, of the methods that have several training runs.
    """

    summaries: tuple[MetricSummary, ...]
    empties: tuple[EmptyCounts, ...]
    tests: tuple[PairedTest, ...]
    resamples: int = RESAMPLES
    seed: int = 0
    runs: tuple[RunMean, ...] = ()

    @classmethod
    def of(
        cls, cases: Sequence[CaseScore], *, resamples: int = RESAMPLES, seed: int = 0
    ) -> ScoreSummary:
        """Summarise the scores of one or more methods."""
        return cls(
            tuple(summarise(cases, resamples=resamples, seed=seed)),
            tuple(count_empties(cases)),
            tuple(paired_tests(cases, resamples=resamples, seed=seed)),
            resamples,
            seed,
            tuple(run_means(cases)),
        )
