"""Methods against each other, on the same patients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.metric_samples import (
    Protocol,
    Sample,
    SampleSet,
    patient_means,
    sample_sets,
)
from rma_mamba.metrics import RESAMPLES, bootstrap_interval, holm, paired_wilcoxon


@dataclass(frozen=True)
class PairedTest:
    """Two methods on the same patients.

    Args:
        first, second: The methods.
        group, protocol, metric: Where they were compared; volume errors by their absolute values.
        patients: With at least one sample that is defined for both methods.
        left_out: Samples that are not defined, or missing, for one of the methods.
        mean_difference: Mean over patients of first minus second.
        difference_low, difference_high: 95 % bootstrap interval of it, which draws patients.
        p: Two-sided Wilcoxon signed-rank test of the patients' means.
        p_holm: Corrected for all pairs of methods in this group, protocol and metric.
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
    """Every pair of methods on every group, protocol and metric; nothing if there is one method.

    Args:
        cases: Of all methods; samples are paired by source, patient, case and slice.
        resamples, seed: Of the bootstrap.
    """
    families: dict[tuple[str, str, str], list[SampleSet]] = {}
    for each in sample_sets(cases):
        families.setdefault((each.group, each.protocol, each.metric), []).append(each)
    tests = []
    for family in families.values():
        pairs = [_test(*pair, resamples, seed) for pair in itertools.combinations(family, 2)]
        corrected = holm([test.p for test in pairs])
        tests += [replace(test, p_holm=p) for test, p in zip(pairs, corrected, strict=True)]
    return tests


def _test(first: SampleSet, second: SampleSet, resamples: int, seed: int) -> PairedTest:
    one, other = _by_name(first), _by_name(second)
    both = [which for which in one if which in other and _defined(one[which], other[which])]
    means = [patient_means(found[which] for which in both) for found in (one, other)]
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


def _by_name(of: SampleSet) -> dict[tuple[str, ...], Sample]:
    # a volume that is 10 mL too small is as wrong as one that is 10 mL too large
    size: Callable[[float], float] = abs if of.best == "zero" else float
    return {each.which: replace(each, value=size(each.value)) for each in of.samples}


def _defined(*samples: Sample) -> bool:
    return not any(math.isnan(sample.value) for sample in samples)
