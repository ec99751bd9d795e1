import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from skimage.draw import polygon2mask

from rma_mamba.scans.contours import outlines, signed_area


def planes() -> st.SearchStrategy[np.ndarray]:
    def drawn(seed: int, share: float, rows: int, columns: int) -> np.ndarray:
        return np.random.default_rng(seed).random((rows, columns)) < share

    return st.builds(
        drawn, st.integers(0, 10**6), st.floats(0, 1), st.integers(1, 9), st.integers(1, 9)
    )


@settings(max_examples=150, deadline=None)
@given(plane=planes())
def test_each_region_has_one_outline_that_encloses_its_pixels(plane: np.ndarray) -> None:
    regions, count = label(plane)
    found = outlines(plane)
    assert len(found) == count
    filled = np.zeros(plane.shape, bool)
    for number, ring in enumerate(found, start=1):
        outside = np.pad(regions != number, 1, constant_values=True)
        _, parts = label(outside, np.ones((3, 3)))
        # corners of pixels are cut: half a pixel less for the outline, half a pixel more for each hole
        expected = np.count_nonzero(regions == number) - 0.5 + 0.5 * (parts - 1)
        assert abs(signed_area(ring)) == pytest.approx(expected)
        filled ^= polygon2mask(plane.shape, ring)
    assert np.array_equal(filled, plane)


def test_the_outline_of_a_square_has_eight_points() -> None:
    plane = np.zeros((9, 9), bool)
    plane[2:7, 3:8] = True
    (ring,) = outlines(plane)
    assert len(ring) == 8
    assert (ring.min(axis=0).tolist(), ring.max(axis=0).tolist()) == ([1.5, 2.5], [6.5, 7.5])


def test_an_empty_plane_has_no_outline() -> None:
    assert outlines(np.zeros((4, 4), bool)) == []
