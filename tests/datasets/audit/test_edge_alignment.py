"""Borders: a shift is told from a label that is too wide, and few cases are not judged."""

import numpy as np
import pytest
from scipy import ndimage

from layouts import scan
from rma_mamba.datasets.audit.edge_alignment import EdgeOffset, edge_offsets
from rma_mamba.datasets.audit.label_shift import common_offset, outliers


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_the_offset_is_that_of_the_shift(axis: int, step: int) -> None:
    values, liver = scan(1)
    (offset,) = (edge_offsets(values, np.roll(liver, step, axis) > 0)[axis],)
    assert offset is not None
    assert offset.both == pytest.approx(-step, abs=0.3)


def test_a_wide_label_moves_both_sides_apart_and_is_not_shifted() -> None:
    values, liver = scan(1)
    wide = ndimage.binary_dilation(liver, np.ones((3, 3, 1)))
    for offset in edge_offsets(values, wide)[:2]:
        assert offset is not None
        assert offset.entering > 0.5
        assert offset.leaving < -0.5
        assert outliers([EdgeOffset(0.01 * n, 0, 0) for n in range(9)] + [offset]) == {}


def test_nothing_is_said_of_few_cases_or_without_contrast() -> None:
    shifted = EdgeOffset(1, 1, 1)
    assert outliers([EdgeOffset(0, 0, 0)] * 3 + [shifted]) == {}
    assert outliers([None] * 9 + [EdgeOffset(0, 0, 0)] * 4 + [shifted]) == {13: 1.0}
    assert common_offset([shifted] * 4) == 0
    assert common_offset([shifted] * 5) == 1
    empty = np.zeros((20, 20, 6), bool)
    assert edge_offsets(np.zeros(empty.shape, np.int16), empty) == (None, None, None)
    liver = empty.copy()
    liver[5:15, 5:15, 1:5] = True
    assert edge_offsets(np.ones(empty.shape, np.int16), liver) == (None, None, None)


def test_rough_labels_need_a_larger_shift() -> None:
    rough = [EdgeOffset(x, x, x) for x in (-0.4, -0.3, -0.2, 0, 0.2, 0.3, 0.4)]
    assert outliers([*rough, EdgeOffset(0.7, 0.7, 0.7)]) == {}
    assert 7 in outliers([*rough, EdgeOffset(1.8, 1.8, 1.8)])
