"""Paired comparison of methods on the same patients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.metric_samples import MetricSamples, Protocol, metric_samples
from rma_mamba.metrics import RESAMPLES, holm, paired_wilcoxon
from rma_mamba.metrics.bootstrap import paired_interval


@dataclass(frozen=True)
class PairedTest:
    """Comparison of two methods on the same patients.

    Args:
        first, second: Names of the methods.
        group, protocol, metric: What was compared. Volume errors are compared by absolute value.
        patients: Number of patients with at least one sample that is defined for both methods.
        left_out: Number of samples that are undefined or missing for one of the methods, in any of its runs.
        mean_difference: Mean over patients of first minus second; each patient is first averaged over runs.
        difference_low, difference_high: Limits of its 95% bootstrap confidence interval, resampling patients and the
            runs of each method.
        p: p-value of the two-sided Wilcoxon signed-rank test on the patient means.
        p_holm: The same, with Holm's correction over all pairs of methods in this group, protocol and metric.
    """

    first: str
    second: str
    group: str
    protocol: Protocol
    metric: str
    patients: int
    left_out: int
    mean_difference: float
    difference_low: float
    difference_high: float
    p: float
    p_holm: float


def paired_tests(
    cases: Iterable[CaseScore], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[PairedTest]:
    """Compare each pair of methods for each group, protocol and metric; empty if there is only one method.

    Args:
        cases: Scores of all methods; samples are paired by source, patient, case and slice. The runs of two methods
            are not paired: equal seeds have nothing in common.
        resamples, seed: Number of resamples and random seed of the bootstrap.
    """
    families: dict[tuple[str, str, str], list[MetricSamples]] = {}
    for each in metric_samples(cases):
        families.setdefault((each.group, each.protocol, each.metric), []).append(each)
    tests = []
    for family in families.values():
        pairs = [_test(*pair, resamples, seed) for pair in itertools.combinations(family, 2)]
        corrected = holm([test.p for test in pairs])
        tests += [replace(test, p_holm=p) for test, p in zip(pairs, corrected, strict=True)]
    return tests


def _test(first: MetricSamples, second: MetricSamples, resamples: int, seed: int) -> PairedTest:
    one, other = _by_key(first), _by_key(second)
    both = [key for key in one if key in other and one[key].complete and other[key].complete]
    means = [_patients_and_runs(found, both) for found in (one, other)]
    over_runs = [each.mean(axis=1) for each in means]
    differences = over_runs[0] - over_runs[1]
    low, high = paired_interval(*means, resamples=resamples, seed=seed)
    return PairedTest(
        first.method,
        second.method,
        first.group,
        first.protocol,
        first.metric,
        patients=len(differences),
        left_out=len(one.keys() | other.keys()) - len(both),
        mean_difference=float(np.mean(differences)) if len(differences) else math.nan,
        difference_low=low,
        difference_high=high,
        p=paired_wilcoxon(over_runs[0].tolist(), over_runs[1].tolist()),
        p_holm=math.nan,
    )


@dataclass(frozen=True)
class _Sample:
    """A volume or slice, and its value in each run of a method; NaN if there is none."""

    patient: str
    values: list[float]

    @property
    def complete(self) -> bool:
        return not any(map(math.isnan, self.values))


def _by_key(group: MetricSamples) -> dict[tuple[str, ...], _Sample]:
    # underestimating a volume by 10 mL is as wrong as overestimating it by 10 mL
    size: Callable[[float], float] = abs if group.best == "zero" else float
    place = {run: number for number, run in enumerate(group.runs)}
    found: dict[tuple[str, ...], _Sample] = {}
    for each in group.samples:
        sample = found.setdefault(each.key, _Sample(each.patient, [math.nan] * len(place)))
        sample.values[place[each.run]] = size(each.value)
    return found


def _patients_and_runs(
    found: Mapping[tuple[str, ...], _Sample], keys: Sequence[tuple[str, ...]]
) -> npt.NDArray[np.float64]:
    """Means over the samples of each patient [patient, run]."""
    patients: dict[str, list[list[float]]] = {}
    for key in keys:
        patients.setdefault(found[key].patient, []).append(found[key].values)
    means = [[float(np.mean(run)) for run in zip(*rows, strict=True)] for rows in patients.values()]
    return np.array(means).reshape(len(means), -1 if means else 1)
