"""Summary statistics of each metric over patients or slices, and counts of empty masks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.metric_samples import (
    Best,
    MetricSamples,
    Protocol,
    grouped,
    metric_samples,
    patient_means,
    postprocessing_of,
)
from rma_mamba.metrics import RESAMPLES, EmptyCase, bootstrap_interval, summarise_values


@dataclass(frozen=True)
class MetricSummary:
    """Summary of one metric for one method and one group of sources.

    A sample is a patient for per_volume (the mean over that patient's volumes, so that each patient counts
    once) and a slice for paper_per_slice (as in the paper, each slice counts once).

    Args:
        method, group: Method and group of sources.
        protocol, metric: What was measured.
        patients: Number of patients with a defined value.
        samples: Number of samples with a defined value.
        undefined: Number of volumes or slices without a defined value; excluded from the statistics.
        mean: Mean over the samples.
        mean_low, mean_high: Limits of the 95% bootstrap confidence interval of the mean, resampling
            patients; NaN if there is only one patient.
        median, lower_quartile, upper_quartile: Of the samples.
        worst: Mean value of the worst patient; for volume errors, the mean furthest from 0. NaN if the metric is
            undefined for a patient, who is then the worst.
        worst_patient: Identifier of that patient; empty if no value is defined.
        postprocessing: What was removed from the masks: standard, none, or as given.
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
    postprocessing: str = "as given"


@dataclass(frozen=True)
class EmptyCounts:
    """Numbers of volumes or slices with empty masks, for one method and one group of sources.

    Args:
        method, group, protocol: What was counted.
        patients: Number of patients.
        total: Number of volumes or slices.
        neither: With liver in both masks.
        both: With both masks empty.
        reference, prediction: With only this mask empty.
        postprocessing: What was removed from the masks: standard, none, or as given.
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
    postprocessing: str = "as given"


def summarise(
    cases: Iterable[CaseScore], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[MetricSummary]:
    """Summarise each metric for each method and group of sources, in the order of the cases.

    Args:
        cases: Scores of any methods and sources; each case once per method.
        resamples: Number of bootstrap resamples.
        seed: Random seed of the bootstrap; equal seeds give equal intervals.
    """
    return [_summary(each, resamples, seed) for each in metric_samples(cases)]


def count_empties(cases: Iterable[CaseScore]) -> list[EmptyCounts]:
    """Count empty masks for each method, group and protocol that has samples."""
    counts = []
    for (method, group), members in grouped(cases).items():
        for protocol in get_args(Protocol):
            found = list(_empties(members, protocol))
            if found:
                number = Counter(empty for _, empty in found)
                by_case = {empty: number[empty] for empty in get_args(EmptyCase)}
                patients = len({patient for patient, _ in found})
                removed = postprocessing_of(members, protocol)
                counts.append(
                    EmptyCounts(
                        method,
                        group,
                        protocol,
                        patients,
                        len(found),
                        **by_case,
                        postprocessing=removed,
                    )
                )
    return counts


def _summary(group: MetricSamples, resamples: int, seed: int) -> MetricSummary:
    means = patient_means(group.samples)
    if group.protocol == "per_volume":
        patients, values = list(means), list(means.values())
    else:
        patients = [sample.patient for sample in group.samples]
        values = [sample.value for sample in group.samples]
    summary = summarise_values(values)
    low, high = bootstrap_interval(values, patients, resamples=resamples, seed=seed)
    failed = _failed(group) if means else []
    worst = failed[0] if failed else _worst(means, group.best)
    return MetricSummary(
        group.method,
        group.group,
        group.protocol,
        group.metric,
        patients=len(means),
        samples=summary.count,
        undefined=sum(math.isnan(sample.value) for sample in group.samples),
        mean=summary.mean,
        mean_low=low,
        mean_high=high,
        median=summary.median,
        lower_quartile=summary.lower_quartile,
        upper_quartile=summary.upper_quartile,
        worst=math.nan if worst in failed else means.get(worst, math.nan),
        worst_patient=worst,
        postprocessing=group.postprocessing,
    )


def _failed(group: MetricSamples) -> list[str]:
    """Patients with a volume or slice for which the metric is undefined: only one of its masks was empty."""
    return list(
        dict.fromkeys(sample.patient for sample in group.samples if math.isnan(sample.value))
    )


def _worst(means: Mapping[str, float], best: Best) -> str:
    badness: dict[Best, Callable[[float], float]] = {
        "high": lambda mean: -mean,
        "low": lambda mean: mean,
        "zero": abs,
    }
    return max(means, key=lambda patient: badness[best](means[patient]), default="")


def _empties(cases: Sequence[CaseScore], protocol: Protocol) -> Iterator[tuple[str, EmptyCase]]:
    for case in cases:
        if protocol == "per_volume":
            if case.volume is not None:
                yield case.patient, case.volume.empty
            continue
        for score in case.slices:
            if protocol == "paper_per_slice_all" or score.has_liver:
                yield case.patient, score.empty
