"""Descriptive statistics, and paired tests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Summary:
    """Mean, median and quartiles (linear interpolation) of the defined values.

    Args:
        count: Number of defined values.
        undefined: Number of NaN values, which are excluded from the statistics.
        mean, median, lower_quartile, upper_quartile: NaN if no value is defined.
    """

    count: int
    undefined: int
    mean: float
    median: float
    lower_quartile: float
    upper_quartile: float


def summarise_values(values: Sequence[float]) -> Summary:
    """Descriptive statistics of values; NaN means undefined."""
    array = np.asarray(values, np.float64)
    defined = array[~np.isnan(array)]
    undefined = array.size - defined.size
    if not defined.size:
        return Summary(0, undefined, math.nan, math.nan, math.nan, math.nan)
    lower, median, upper = np.percentile(defined, (25, 50, 75)).tolist()
    return Summary(defined.size, undefined, float(defined.mean()), median, lower, upper)


def paired_wilcoxon(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p-value of the Wilcoxon signed-rank test on paired values, one pair per patient.

    Pairs with NaN and pairs with a zero difference are excluded (Wilcoxon's method for zeros). The p-value is
    NaN if there are no pairs and 1 if all differences are zero. Exact for small samples without ties; with
    five pairs the smallest possible p-value is 0.0625.
    """
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    differences = differences[~np.isnan(differences)]
    if not differences.size:
        return math.nan
    # differences that are equal up to rounding count as ties
    differences = np.round(differences, 12)
    differences = differences[differences != 0]
    if not differences.size:
        return 1.0
    with (
        warnings.catch_warnings()
    ):  # SciPy warns of the normal approximation for few pairs with ties
        warnings.simplefilter("ignore")
        return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of a family of p-values; NaN values are kept and not counted.

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
