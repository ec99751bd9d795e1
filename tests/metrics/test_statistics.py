"""Confidence intervals, tests and corrections, compared with theory and known values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.metrics import bootstrap_interval, holm, paired_wilcoxon, summarise_values

NAN = math.nan
SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=20)


def test_a_summary_excludes_and_counts_undefined_values() -> None:
    of = summarise_values([1, NAN, 2, 3, 10, NAN])
    assert (of.count, of.undefined, of.mean, of.median) == (4, 2, 4, 2.5)
    assert (of.lower_quartile, of.upper_quartile) == (1.75, 4.75)
    nothing = summarise_values([NAN])
    assert (nothing.count, nothing.undefined) == (0, 1)
    assert math.isnan(nothing.mean)
    assert math.isnan(summarise_values([]).median)


@given(values=SCORES, seed=st.integers(0, 5))
def test_an_interval_lies_between_the_extremes_and_is_reproducible(values, seed) -> None:
    patients = range(len(values))
    low, high = bootstrap_interval(values, patients, resamples=200, seed=seed)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert (low, high) == bootstrap_interval(values, patients, resamples=200, seed=seed)


def test_an_interval_has_the_theoretical_width() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(values, range(400))
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)
    narrow = bootstrap_interval(values, range(400), confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_patients_are_resampled_and_not_slices() -> None:
    values = [0.0] * 100 + [1.0] * 100
    few = bootstrap_interval(values, ["a"] * 100 + ["b"] * 100)
    many = bootstrap_interval(values, range(200))
    assert few == (0, 1)
    assert many[1] - many[0] < 0.2


def test_one_patient_gives_no_interval() -> None:
    assert all(map(math.isnan, bootstrap_interval([1, 2], ["a", "a"])))
    assert all(map(math.isnan, bootstrap_interval([1, NAN], ["a", "b"])))


def test_wilcoxon_is_exact_for_few_patients() -> None:
    first = [0.9, 0.91, 0.95, 0.93, 0.97]
    second = [0.8, 0.83, 0.9, 0.86, 0.81]
    assert paired_wilcoxon(first, second) == pytest.approx(2 / 2**5)
    assert paired_wilcoxon([*first, NAN], [*second, 0.1]) == pytest.approx(2 / 2**5)
    assert paired_wilcoxon(second, first) == paired_wilcoxon(first, second)


def test_equal_methods_are_not_different() -> None:
    assert paired_wilcoxon([0.5, 0.6], [0.5, 0.6]) == 1
    assert paired_wilcoxon([0.1 + 0.2], [0.3]) == 1  # but for rounding
    assert math.isnan(paired_wilcoxon([], []))
    assert math.isnan(paired_wilcoxon([NAN], [1]))


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, NAN, 0.5])[::2] == [1, 1]
    assert math.isnan(holm([0.6, NAN, 0.5])[1])
    assert holm([]) == []


@given(ps=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_p_values_and_keeps_their_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= better <= 1 for p, better in zip(ps, corrected, strict=True))
    order = np.argsort(ps, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    assert max(corrected) <= min(1, len(ps) * max(ps)) + 1e-12
