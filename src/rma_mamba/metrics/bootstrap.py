"""Bootstrap confidence intervals of means over patients and, with several training runs, over runs as well."""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
_DRAWS_PER_CHUNK = 1_000_000  # patient indices held in memory at once: 8 MB

Table = npt.NDArray[np.float64]  # [patient, run]


def bootstrap_interval(
    values: Sequence[float],
    patients: Sequence[Hashable],
    *,
    runs: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap confidence interval of the mean, resampling patients with all their values.

    Values of the same patient are correlated, so resampling individual slices would make the interval too
    narrow. The same applies to the values of one training run: with several runs, patients and runs are resampled
    independently of each other (pigeonhole bootstrap: Owen, Ann. Appl. Stat. 1 (2007) 386-411).

    Args:
        values: Scores; NaN values are excluded.
        patients: Patient of each score.
        runs: Training run of each score; None: all are of the same run.
        confidence: Confidence level, 0 to 1.
        resamples: Number of bootstrap resamples.
        seed: Random seed; equal seeds give equal intervals.

    Returns:
        Lower and upper limit; both NaN for fewer than two patients.
    """
    array = np.asarray(values, np.float64)
    defined = ~np.isnan(array)
    owner, count = _numbers(patients, defined)
    run, columns = _numbers([0] * array.size if runs is None else runs, defined)
    if count < 2:
        return math.nan, math.nan
    cells, shape = owner * columns + run, (count, columns)
    sums = np.bincount(cells, array[defined], count * columns).astype(np.float64).reshape(shape)
    sizes = np.bincount(cells, minlength=count * columns).reshape(shape)
    return _percentiles(_resampled_means(sums, sizes, (columns,), resamples, seed), confidence)


def paired_interval(
    first: Table,
    second: Table,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap confidence interval of the mean difference of two methods on the same patients.

    Patients are resampled for both methods together, the runs of each method on their own.

    Args:
        first, second: Scores of each method [patient, run], all defined; the numbers of runs may differ.
        confidence, resamples, seed: As in `bootstrap_interval`.

    Returns:
        Lower and upper limit of first minus second; both NaN for fewer than two patients.
    """
    if len(first) < 2:
        return math.nan, math.nan
    differences = (first[:, :, None] - second[:, None, :]).reshape(len(first), -1)
    runs = first.shape[1], second.shape[1]
    ones = np.ones(differences.shape, np.intp)
    return _percentiles(_resampled_means(differences, ones, runs, resamples, seed), confidence)


def _numbers(
    names: Sequence[Hashable], defined: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], int]:
    """The names of the defined values, numbered in their order, and how many there are."""
    kept = [name for name, keep in zip(names, defined, strict=True) if keep]
    number = {name: position for position, name in enumerate(dict.fromkeys(kept))}
    return np.array([number[name] for name in kept], np.intp), len(number)


def _resampled_means(
    sums: Table, sizes: npt.NDArray[np.intp], runs: Sequence[int], resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """The mean of each resample, from sums and numbers of values [patient, combination of runs of all methods]."""
    count, columns = sums.shape
    random = np.random.default_rng(seed)
    of_runs = [np.random.default_rng((seed, number)) for number in range(1, len(runs) + 1)]
    part = max(1, _DRAWS_PER_CHUNK // count)
    means = []
    for start in range(0, resamples, part):
        drawn = random.integers(count, size=(min(part, resamples - start), count))
        weights = _run_weights(of_runs, runs, len(drawn))
        total, size = np.zeros(len(drawn)), np.zeros(len(drawn))
        for column in range(columns):  # one at a time, to save memory
            total += weights[:, column] * sums[:, column][drawn].sum(axis=1)
            size += weights[:, column] * sizes[:, column][drawn].sum(axis=1)
        means.append(total[size > 0] / size[size > 0])
    return np.concatenate(means)


def _run_weights(
    random: Sequence[np.random.Generator], runs: Sequence[int], resamples: int
) -> npt.NDArray[np.intp]:
    """How often each combination of runs was drawn [resample, combination]."""
    drawn = [
        each.integers(count, size=(resamples, count))
        for each, count in zip(random, runs, strict=True)
    ]
    counts = [(each[:, :, None] == np.arange(each.shape[1])).sum(axis=1) for each in drawn]
    return functools.reduce(
        lambda one, other: (one[:, :, None] * other[:, None, :]).reshape(resamples, -1), counts
    )


def _percentiles(means: npt.NDArray[np.float64], confidence: float) -> tuple[float, float]:
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, (tail, 100 - tail)).tolist()
    return low, high
