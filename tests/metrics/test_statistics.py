"""Tests and corrections, compared with theory and known values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.metrics import holm, paired_wilcoxon, summarise_values

NAN = math.nan


def test_a_summary_excludes_and_counts_undefined_values() -> None:
    of = summarise_values([1, NAN, 2, 3, 10, NAN])
    assert (of.count, of.undefined, of.mean, of.median) == (4, 2, 4, 2.5)
    assert (of.lower_quartile, of.upper_quartile) == (1.75, 4.75)
    nothing = summarise_values([NAN])
    assert (nothing.count, nothing.undefined) == (0, 1)
    assert math.isnan(nothing.mean)
    assert math.isnan(summarise_values([]).median)


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
