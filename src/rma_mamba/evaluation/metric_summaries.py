"""Summary statistics of each metric over patients or slices, and counts of empty masks."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.metric_samples import (
    Best,
    MetricSample,
    MetricSamples,
    Protocol,
    averaged_over_runs,
    class_names,
    grouped,
    metric_samples,
    patient_means,
    postprocessing_of,
)
from rma_mamba.metrics import RESAMPLES, EmptyCase, bootstrap_interval, summarise_values


@dataclass(frozen=True)
class MetricSummary:
    """Summary of one metric for one method and one group of sources.

    A sample is a patient for per_volume and per_class (the mean over that patient's volumes, so that each patient
    counts once) and a slice for paper_per_slice (as in the paper, each slice counts once).

    Args:
        method, group: Method and group of sources.
        protocol, metric: What was measured; per_class: the name of a class and a metric of it, as "tumour dice".
        patients: Number of patients with a defined value.
        samples: Number of samples with a defined value.
        undefined: Number of volumes or slices of all runs without a defined value; excluded from the statistics.
        mean: Mean over the samples of all runs.
        mean_low, mean_high: Limits of the 95% bootstrap confidence interval of the mean, resampling patients and, if
            there are several, runs; NaN if there is only one patient.
        median, lower_quartile, upper_quartile: Of the samples, each of which is the mean over all runs.
        worst: Mean value of the worst patient; for volume errors, the mean furthest from 0. NaN if the metric is
            undefined for a patient, who is then the worst.
        worst_patient: Identifier of that patient; empty if no value is defined.
        postprocessing: What was removed from the masks: standard, none, or as given.
        runs: Number of training runs of the method.
        sd_over_runs: Standard deviation of the means of the runs; NaN if there is one.
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
    runs: int = 1
    sd_over_runs: float = math.nan


@dataclass(frozen=True)
class RunMean:
    """Mean of one metric for one training run, of a method with several.

    Args:
        method, run: Method, and random seed of the run.
        group, protocol, metric: What was measured.
        mean: Mean over the samples of the run; NaN if none has a value.
    """

    method: str
    run: int | None
    group: str
    protocol: Protocol
    metric: str
    mean: float


@dataclass(frozen=True)
class EmptyCounts:
    """Numbers of volumes or slices with empty masks, for one method and one group of sources.

    Args:
        method, group, protocol: What was counted.
        patients: Number of patients.
        total: Number of volumes or slices; with several runs of a method, each counts once per run.
        neither: With liver in both masks.
        both: With both masks empty.
        reference, prediction: With only this mask empty.
        postprocessing: What was removed from the masks: standard, none, or as given.
        runs: Number of training runs of the method.
        class_name: The class whose masks were counted, of per_class; else empty.
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
    runs: int = 1
    class_name: str = ""


@dataclass(frozen=True)
class _Empty:
    patient: str
    run: int | None
    empty: EmptyCase


_Counted = list[tuple[str, float]]  # patient and value


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


def run_means(cases: Iterable[CaseScore]) -> list[RunMean]:
    """The mean of each metric for each training run of the methods that have several."""
    return [
        RunMean(each.method, run, each.group, each.protocol, each.metric, mean)
        for each in metric_samples(cases)
        if len(each.runs) > 1
        for run, mean in _means_of_runs(_by_run(each)).items()
    ]


def count_empties(cases: Iterable[CaseScore]) -> list[EmptyCounts]:
    """Count empty masks for each method, group and protocol that has samples, and for each class."""
    counts = []
    for (method, group), members in grouped(cases).items():
        for protocol in get_args(Protocol):
            for name in class_names(members) if protocol == "per_class" else [""]:
                found = list(_empties(members, protocol, name))
                if found:
                    key = method, group, protocol
                    removed = postprocessing_of(members, protocol)
                    counts.append(_counted(key, found, removed, name))
    return counts


def _counted(
    key: tuple[str, str, Protocol], found: list[_Empty], removed: str, name: str
) -> EmptyCounts:
    method, group, protocol = key
    number = Counter(each.empty for each in found)
    return EmptyCounts(
        method,
        group,
        protocol,
        len({each.patient for each in found}),
        len(found),
        **{empty: number[empty] for empty in get_args(EmptyCase)},
        postprocessing=removed,
        runs=len({each.run for each in found}),
        class_name=name,
    )


def _summary(group: MetricSamples, resamples: int, seed: int) -> MetricSummary:
    by_run = _by_run(group)
    patients, values, runs = _columns(by_run)
    low, high = bootstrap_interval(values, patients, runs=runs, resamples=resamples, seed=seed)
    samples = averaged_over_runs(group.samples) if len(by_run) > 1 else group.samples
    summary = summarise_values([value for _, value in _counting_once(group.protocol, samples)])
    means = patient_means(group.samples)
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
        mean=summarise_values(values).mean,
        mean_low=low,
        mean_high=high,
        median=summary.median,
        lower_quartile=summary.lower_quartile,
        upper_quartile=summary.upper_quartile,
        worst=math.nan if worst in failed else means.get(worst, math.nan),
        worst_patient=worst,
        postprocessing=group.postprocessing,
        runs=len(by_run),
        sd_over_runs=_deviation(list(_means_of_runs(by_run).values())),
    )


def _by_run(group: MetricSamples) -> dict[int | None, _Counted]:
    """The values of each run that count once: those of patients or of slices."""
    runs: dict[int | None, list[MetricSample]] = {}
    for sample in group.samples:
        runs.setdefault(sample.run, []).append(sample)
    return {run: _counting_once(group.protocol, samples) for run, samples in runs.items()}


def _counting_once(protocol: Protocol, samples: Iterable[MetricSample]) -> _Counted:
    if protocol in ("per_volume", "per_class"):
        return list(patient_means(samples).items())
    return [(sample.patient, sample.value) for sample in samples]


def _columns(
    by_run: Mapping[int | None, _Counted],
) -> tuple[list[str], list[float], list[int | None]]:
    rows = [(*each, run) for run, found in by_run.items() for each in found]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _means_of_runs(by_run: Mapping[int | None, _Counted]) -> dict[int | None, float]:
    return {
        run: summarise_values([value for _, value in found]).mean for run, found in by_run.items()
    }


def _deviation(means: Sequence[float]) -> float:
    """Standard deviation over the runs that have a mean; NaN for fewer than two."""
    defined = [mean for mean in means if not math.isnan(mean)]
    return statistics.stdev(defined) if len(defined) > 1 else math.nan


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


def _empties(cases: Sequence[CaseScore], protocol: Protocol, class_name: str) -> Iterator[_Empty]:
    for case in cases:
        for empty in _empty_masks(case, protocol, class_name):
            yield _Empty(case.patient, case.run, empty)


def _empty_masks(case: CaseScore, protocol: Protocol, class_name: str) -> Iterator[EmptyCase]:
    if protocol == "per_volume":
        if case.volume is not None:
            yield case.volume.empty
    elif protocol == "per_class":
        yield from (each.score.empty for each in case.classes if each.name == class_name)
    else:
        for score in case.slices:
            if protocol == "paper_per_slice_all" or score.has_liver:
                yield score.empty
