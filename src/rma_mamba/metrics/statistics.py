"""From scores to statements: summaries, intervals over patients, paired tests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

RESAMPLES = 10_000
_COUNTS_AT_A_TIME = 1_000_000  # of drawn patients: eight megabytes


@dataclass(frozen=True)
class Summary:
    """Mean, median and quartiles (linear interpolation) of the values that are defined.

    Args:
        count: How many values are defined.
        undefined: How many are NaN: left out, and counted here.
        mean, median, lower_quartile, upper_quartile: NaN if nothing is defined.
    """

    count: int
    undefined: int
    mean: float
    median: float
    lower_quartile: float
    upper_quartile: float


def summarise_values(values: Sequence[float]) -> Summary:
    """Summary of values, of which NaN says "not defined"."""
    array = np.asarray(values, np.float64)
    defined = array[~np.isnan(array)]
    undefined = array.size - defined.size
    if not defined.size:
        return Summary(0, undefined, math.nan, math.nan, math.nan, math.nan)
    lower, median, upper = np.percentile(defined, (25, 50, 75)).tolist()
    return Summary(defined.size, undefined, float(defined.mean()), median, lower, upper)


def bootstrap_interval(
    values: Sequence[float],
    patients: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean, by drawing patients with all that belongs to them.

    Values of one patient resemble each other, so that drawing slices would make the interval too narrow.

    Args:
        values: Scores; NaN is left out.
        patients: Whose each score is.
        confidence: Share of the resampled means inside the interval.
        resamples: How often as many patients as there are are drawn, with replacement.
        seed: Equal seeds give equal intervals.

    Returns:
        Lower and upper end; NaN for fewer than two patients, of whom nothing can be drawn.
    """
    array = np.asarray(values, np.float64)
    defined = ~np.isnan(array)
    whose = [each for each, keep in zip(patients, defined, strict=True) if keep]
    number = {patient: position for position, patient in enumerate(dict.fromkeys(whose))}
    if len(number) < 2:
        return math.nan, math.nan
    groups = [number[each] for each in whose]
    sums = np.bincount(groups, array[defined]).astype(np.float64)
    sizes = np.bincount(groups)
    means = _resampled_means(sums, sizes, resamples, np.random.default_rng(seed))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, (tail, 100 - tail)).tolist()
    return low, high


def _resampled_means(
    sums: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.intp],
    resamples: int,
    random: np.random.Generator,
) -> npt.NDArray[np.float64]:
    count = len(sums)
    part = max(1, _COUNTS_AT_A_TIME // count)
    means = []
    for start in range(0, resamples, part):
        drawn = random.integers(count, size=(min(part, resamples - start), count))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def paired_wilcoxon(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of paired values, one pair a patient.

    Pairs with NaN are left out, and so are equal ones (Wilcoxon's own way). No pair: NaN. All pairs
    equal: 1. Exact for few pairs without ties; five pairs cannot give less than 0.0625.
    """
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    differences = differences[~np.isnan(differences)]
    if not differences.size:
        return math.nan
    # equal but for rounding is equal, and ties are ties
    differences = np.round(differences, 12)
    differences = differences[differences != 0]
    if not differences.size:
        return 1.0
    with warnings.catch_warnings():  # of few pairs with ties: the approximation is said to be one
        warnings.simplefilter("ignore")
        return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p values that belong together; NaN stays, and does not count.

    Source: Holm, Scand. J. Statist. 6 (1979) 65-70.
    """
    order = sorted(
        (index for index, p in enumerate(p_values) if not math.isnan(p)), key=p_values.__getitem__
    )
    corrected, largest = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
