"""Paired comparison of methods on the same patients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.metric_samples import (
    MetricSample,
    MetricSamples,
    Protocol,
    metric_samples,
    patient_means,
)
from rma_mamba.metrics import RESAMPLES, bootstrap_interval, holm, paired_wilcoxon


@dataclass(frozen=True)
class PairedTest:
    """Comparison of two methods on the same patients.

    Args:
        first, second: Names of the methods.
        group, protocol, metric: What was compared. Volume errors are compared by absolute value.
        patients: Number of patients with at least one sample that is defined for both methods.
        left_out: Number of samples that are undefined or missing for one of the methods.
        mean_difference: Mean over patients of first minus second.
        difference_low, difference_high: Limits of its 95% bootstrap confidence interval, resampling patients.
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
        cases: Scores of all methods; samples are paired by source, patient, case and slice.
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
    both = [key for key in one if key in other and _defined(one[key], other[key])]
    means = [patient_means(found[key] for key in both) for found in (one, other)]
    differences = [mean - means[1][patient] for patient, mean in means[0].items()]
    low, high = bootstrap_interval(differences, list(means[0]), resamples=resamples, seed=seed)
    return PairedTest(
        first.method,
        second.method,
        first.group,
        first.protocol,
        first.metric,
        patients=len(differences),
        left_out=len(one.keys() | other.keys()) - len(both),
        mean_difference=float(np.mean(differences)) if differences else math.nan,
        difference_low=low,
        difference_high=high,
        p=paired_wilcoxon(list(means[0].values()), list(means[1].values())),
        p_holm=math.nan,
    )


def _by_key(group: MetricSamples) -> dict[tuple[str, ...], MetricSample]:
    # underestimating a volume by 10 mL is as wrong as overestimating it by 10 mL
    size: Callable[[float], float] = abs if group.best == "zero" else float
    return {each.key: replace(each, value=size(each.value)) for each in group.samples}


def _defined(*samples: MetricSample) -> bool:
    return not any(math.isnan(sample.value) for sample in samples)
