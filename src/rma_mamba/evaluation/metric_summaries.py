"""Scores of many cases in a few numbers: every metric over patients, and how many masks were empty."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.metric_samples import (
    Best,
    Protocol,
    SampleSet,
    grouped,
    patient_means,
    sample_sets,
)
from rma_mamba.metrics import RESAMPLES, EmptyCase, bootstrap_interval, summarise_values


@dataclass(frozen=True)
class MetricSummary:
    """One metric of one method on one group of sources.

    A sample is a patient (per_volume: the mean over the volumes of that patient, so that everybody counts
    once) or a slice (paper_per_slice: as in the paper, every slice counts once).

    Args:
        method, group: As of the cases.
        protocol, metric: What was measured.
        patients: With a defined value.
        samples: With a defined value.
        undefined: Volumes or slices whose value is not defined; they are not in the numbers that follow.
        mean: Over the samples.
        mean_low, mean_high: 95 % bootstrap interval of the mean, which draws patients; NaN of one patient.
        median, lower_quartile, upper_quartile: Of the samples.
        worst: Mean of the patient who fares worst; of volume errors the one furthest from 0.
        worst_patient: Who that is; empty if nothing is defined.
    """

    method: str
    group: str
    protocol: Protocol
    metric: str
    patients: int
    samples: int
    undefined: int
    mean: float
    mean_low: float
    mean_high: float
    median: float
    lower_quartile: float
    upper_quartile: float
    worst: float
    worst_patient: str


@dataclass(frozen=True)
class EmptyCounts:
    """How many volumes or slices of one method on one group had which of their two masks empty.

    Args:
        method, group, protocol: Where they were counted.
        patients: Whose they are.
        total: All of them.
        neither, both, reference, prediction: Those of which these masks are empty.
    """

    method: str
    group: str
    protocol: Protocol
    patients: int
    total: int
    neither: int
    both: int
    reference: int
    prediction: int


def summarise(
    cases: Iterable[CaseScore], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[MetricSummary]:
    """Every metric of every method on every group of sources, in the order of the cases.

    Args:
        cases: Of any methods and sources; each case once for each method.
        resamples: Of the bootstrap.
        seed: Of the bootstrap; equal seeds give equal intervals.
    """
    return [_summary(each, resamples, seed) for each in sample_sets(cases)]


def count_empties(cases: Iterable[CaseScore]) -> list[EmptyCounts]:
    """How often which masks were empty, for every method, group and protocol that has samples."""
    counts = []
    for (method, group), found in grouped(cases).items():
        for protocol in get_args(Protocol):
            seen = list(_empties(found, protocol))
            if seen:
                kinds = Counter(kind for _, kind in seen)
                of = {kind: kinds[kind] for kind in get_args(EmptyCase)}
                patients = len({patient for patient, _ in seen})
                counts.append(EmptyCounts(method, group, protocol, patients, len(seen), **of))
    return counts


def _summary(of: SampleSet, resamples: int, seed: int) -> MetricSummary:
    means = patient_means(of.samples)
    if of.protocol == "per_volume":
        patients, values = list(means), list(means.values())
    else:
        patients = [sample.patient for sample in of.samples]
        values = [sample.value for sample in of.samples]
    summary = summarise_values(values)
    low, high = bootstrap_interval(values, patients, resamples=resamples, seed=seed)
    worst = _worst(means, of.best)
    return MetricSummary(
        of.method,
        of.group,
        of.protocol,
        of.metric,
        patients=len(means),
        samples=summary.count,
        undefined=sum(math.isnan(sample.value) for sample in of.samples),
        mean=summary.mean,
        mean_low=low,
        mean_high=high,
        median=summary.median,
        lower_quartile=summary.lower_quartile,
        upper_quartile=summary.upper_quartile,
        worst=means.get(worst, math.nan),
        worst_patient=worst,
    )


def _worst(means: Mapping[str, float], best: Best) -> str:
    ways: dict[Best, Callable[[float], float]] = {
        "high": lambda mean: -mean,
        "low": lambda mean: mean,
        "zero": abs,
    }
    return max(means, key=lambda patient: ways[best](means[patient]), default="")


def _empties(cases: Sequence[CaseScore], protocol: Protocol) -> Iterator[tuple[str, EmptyCase]]:
    for case in cases:
        if protocol == "per_volume":
            if case.volume is not None:
                yield case.patient, case.volume.empty
            continue
        for score in case.slices:
            if protocol == "paper_per_slice_all" or score.has_liver:
                yield case.patient, score.empty
