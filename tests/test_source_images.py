"""A mask is mapped back onto the source images by position."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.source_images import SourceImage, SourceImages, interpolated, shifted


def images_at(offsets: object, size: tuple[int, int]) -> SourceImages:
    """Images whose first pixels are at these indices (i, j, k) of a volume."""
    array = np.array(offsets, float).reshape(-1, 3)
    image = SourceImage("", None, (0, 0, 0), BytesIO)
    return SourceImages((image,) * len(array), size, array)


def test_images_of_a_regular_series_are_the_slices_of_the_volume() -> None:
    images = images_at([(0, 0, 0), (0, 0, 1)], (3, 4))
    labels = np.random.default_rng(0).integers(0, 3, (3, 4, 2))
    assert images.is_regular
    assert np.array_equal(images.on_slices(labels), labels > 0)


def test_an_image_between_voxels_has_the_mask_where_interpolation_is_at_least_one_half() -> None:
    labels = np.zeros((1, 1, 3), np.uint8)
    labels[0, 0, 1] = 1
    positions = (0.4, 0.5, 1, 1.5, 1.6)
    images = images_at([(0, 0, k) for k in positions], (1, 1))
    assert not images.is_regular
    assert images.on_slices(labels).ravel().tolist() == [0, 1, 1, 1, 0]


def test_an_image_shifted_in_plane_sees_the_mask_at_its_own_position() -> None:
    labels = np.zeros((5, 4, 1), np.uint8)
    labels[3, 2, 0] = 1
    on_slices = images_at([(2, 1, 0)], (3, 3)).on_slices(labels)
    assert np.argwhere(on_slices).tolist() == [[1, 1, 0]]


@given(
    shape=st.tuples(*[st.integers(1, 6)] * 2),
    positions=st.lists(st.floats(0, 3), min_size=1, max_size=4),
)
def test_a_full_or_empty_mask_stays_full_or_empty(
    shape: tuple[int, int], positions: list[float]
) -> None:
    images = images_at([(0, 0, k) for k in sorted(positions)], shape)
    for value in (0, 1):
        on_slices = images.on_slices(np.full((*shape, 4), value, np.uint8))
        assert on_slices.shape == (*shape, len(positions))
        assert (on_slices == value).all()


def test_interpolation_is_exact_at_both_ends_and_linear_between() -> None:
    first, second = np.full((1, 1), 1 / 3), np.full((1, 1), 1e6)
    assert interpolated(first, second, 0).item() == np.float32(1 / 3)
    assert interpolated(first, second, 1).item() == np.float32(1e6)
    assert interpolated(first, second, 0.25).item() == pytest.approx(0.25e6 + 0.25, rel=1e-6)


@pytest.mark.parametrize(
    ("start", "expected"),
    [(0, [1, 2, 3]), (1, [2, 3, 9]), (-1, [9, 1, 2]), (0.5, [1.5, 2.5, 6]), (7, [9, 9, 9])],
)
def test_a_shifted_image_is_interpolated_and_filled_outside(
    start: float, expected: list[float]
) -> None:
    image = np.array([[1, 2, 3]], np.float32)
    assert shifted(image, (0, start), (1, 3), 9).tolist() == [expected]
    assert shifted(image.T, (start, 0), (3, 1), 9).ravel().tolist() == expected
