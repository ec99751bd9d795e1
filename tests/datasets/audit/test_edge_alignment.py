"""The offset between a label and the edges of the image is estimated."""

import numpy as np
import pytest
from scipy import ndimage

from layouts import scan
from rma_mamba.datasets.audit.edge_alignment import EdgeOffset, edge_offsets
from rma_mamba.datasets.audit.label_shift import common_offset, outliers


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_the_offset_equals_the_shift(axis: int, step: int) -> None:
    values, liver = scan(1)
    (offset,) = (edge_offsets(values, np.roll(liver, step, axis) > 0)[axis],)
    assert offset is not None
    assert offset.both == pytest.approx(-step, abs=0.3)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("step", [-5, 4, 5])
def test_larger_shifts_in_the_plane_are_found_as_well(axis: int, step: int) -> None:
    values, liver = scan(1)
    offset = edge_offsets(values, np.roll(liver, step, axis) > 0)[axis]
    assert offset is not None
    assert offset.both == pytest.approx(-step, abs=0.5)


def test_a_label_that_is_too_wide_is_not_reported_as_shifted() -> None:
    values, liver = scan(1)
    wide = ndimage.binary_dilation(liver, np.ones((3, 3, 1)))
    for offset in edge_offsets(values, wide)[:2]:
        assert offset is not None
        assert offset.entering > 0.5
        assert offset.leaving < -0.5
        assert outliers([EdgeOffset(0.01 * n, 0, 0) for n in range(9)] + [offset]) == {}


def test_few_cases_or_missing_contrast_give_no_result() -> None:
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
