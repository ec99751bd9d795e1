"""Bootstrap intervals over patients, and over patients and training runs, compared with theory."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.metrics import bootstrap_interval
from rma_mamba.metrics.bootstrap import paired_interval

NAN = math.nan
SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=20)


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


def table(patients: int, runs: int, of_patients: float, of_runs: float) -> np.ndarray:
    """Scores [patient, run] with these standard deviations between patients and between runs."""
    random = np.random.default_rng(3)
    one, other = random.normal(0, of_patients, (patients, 1)), random.normal(0, of_runs, (1, runs))
    return one + other


def width(scores: np.ndarray, *, with_runs: bool = True) -> float:
    patients, runs = np.indices(scores.shape)
    given = {"runs": runs.ravel().tolist()} if with_runs else {}
    low, high = bootstrap_interval(scores.ravel(), patients.ravel().tolist(), **given)
    return high - low


def test_equal_runs_have_the_interval_of_one() -> None:
    one = table(30, 1, 1, 0)
    assert width(np.repeat(one, 3, axis=1)) == pytest.approx(width(one), abs=1e-12)
    assert width(one) == width(one, with_runs=False)


def test_an_interval_over_patients_and_runs_has_the_theoretical_width() -> None:
    scores = table(100, 40, 0.5, 1)
    variance = scores.mean(axis=1).var() / 100 + scores.mean(axis=0).var() / 40
    assert width(scores) == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.06)
    assert width(scores, with_runs=False) < 0.5 * width(scores)


def test_a_patient_without_a_score_in_one_run_keeps_the_others() -> None:
    values, patients = [0.5, NAN, 0.7, 0.9], ["a", "a", "b", "b"]
    low, high = bootstrap_interval(values, patients, runs=[1, 2, 1, 2])
    assert 0.5 <= low < high <= 0.9


def test_one_patient_gives_no_interval_whatever_the_number_of_runs() -> None:
    assert all(map(math.isnan, bootstrap_interval([1, 2], ["a", "a"], runs=[1, 2])))
    assert all(map(math.isnan, paired_interval(np.ones((1, 2)), np.zeros((1, 3)))))
    assert all(map(math.isnan, paired_interval(np.ones((0, 1)), np.zeros((0, 1)))))


def test_a_difference_of_single_runs_is_that_of_its_patients() -> None:
    first, second = table(20, 1, 1, 0), 0.5 * table(20, 1, 1, 0) + 0.1
    assert paired_interval(first, second) == bootstrap_interval((first - second)[:, 0], range(20))


def test_a_difference_counts_the_runs_of_both_methods() -> None:
    same = table(30, 1, 1, 0)
    low, high = paired_interval(same, same)
    assert (low, high) == (0, 0)
    low, high = paired_interval(same + np.array([[-1.0, 1.0]]), same + np.array([[-1.0, 0.0, 1.0]]))
    assert low == pytest.approx(-high, abs=0.2)
    assert 1.2 < high <= 2
