"""Tools on masks: interpolation, islands, holes, growth."""

import numpy as np
import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.review.mask_tools import fill_holes, grow, interpolate, remove_island
from rma_mamba.volume import Geometry, Volume

MM = (1.0, 1.0, 3.0)


def ball(radius: float, size: int = 41) -> np.ndarray:
    grid = np.indices((size,) * 3) - size // 2
    return ((grid**2).sum(axis=0) <= radius**2).astype(np.uint8)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_between_contours_are_those_of_the_shape(axis: int) -> None:
    whole = ball(16)
    sparse = np.zeros_like(whole)
    kept = (slice(None),) * axis + (slice(6, 36, 3),)
    sparse[kept] = whole[kept]
    filled = interpolate(sparse, (1.0, 1.0, 1.0), axis)
    between = (slice(None),) * axis + (slice(6, 34),)
    assert np.array_equal(filled[kept], whole[kept])
    overlap = 2 * (filled[between] & whole[between]).sum()
    assert overlap / (filled[between].sum() + whole[between].sum()) > 0.98
    assert not filled[(slice(None),) * axis + (slice(0, 6),)].any()


def test_only_what_lies_between_chosen_slices_is_replaced() -> None:
    whole = ball(16)
    spoilt = whole.copy()
    spoilt[:, :, 15:25] = 0
    spoilt[3, 3, 20] = 1
    filled = interpolate(spoilt, MM, 2, slices=[14, 25])
    assert not filled[3, 3].any()
    assert np.array_equal(filled[:, :, :15], whole[:, :, :15])
    assert filled[:, :, 20].sum() > 0.8 * whole[:, :, 20].sum()


def test_one_contour_is_not_enough() -> None:
    one = np.zeros((5, 5, 5), np.uint8)
    one[2, 2, 2] = 1
    with pytest.raises(ConfigError, match="1 slice has a contour"):
        interpolate(one, MM, 2)
    for axis, slices in ((3, []), (-1, []), (2, [9])):
        with pytest.raises(ConfigError, match="outside the scan"):
            interpolate(ball(3, 9), MM, axis, slices)


def test_an_island_is_removed_or_kept() -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[1:4, 1:4, 1:4] = labels[8:10, 8:10, 8:10] = 1
    labels[4, 4, 4] = 1  # touches the first by a corner
    assert remove_island(labels, (9, 9, 9)).sum() == 28
    assert remove_island(labels, (9, 9, 9), keep=True).sum() == 8
    assert remove_island(labels, (2, 2, 2)).sum() == 8
    with pytest.raises(ConfigError, match="not in the mask"):
        remove_island(labels, (0, 0, 0))
    with pytest.raises(ConfigError, match="outside the scan"):
        remove_island(labels, (12, 0, 0))
    with pytest.raises(ConfigError, match="outside the scan"):
        remove_island(labels, (-1, 0, 0))


def test_holes_are_filled_in_space_or_within_slices() -> None:
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1:8, 1:8, 1:8] = 1
    labels[4, 4, 4] = 0
    assert fill_holes(labels).sum() == 7**3
    labels[4, 4, :] = 0  # a tunnel is a hole in each slice only
    assert np.array_equal(fill_holes(labels), labels)
    filled = fill_holes(labels, axis=2)
    assert filled[4, 4, 1:8].all()
    assert filled.sum() == 7**3
    assert not fill_holes(np.zeros_like(labels)).any()


def test_growth_adds_the_organ_at_the_point_and_nothing_else() -> None:
    organ, other = ball(9), np.roll(ball(6), 17, axis=0)
    noise = np.random.default_rng(0).normal(0, 4, organ.shape)
    values = (100.0 * organ + 100.0 * other + noise).astype(np.float32)
    scan = Volume(values, Geometry(organ.shape, np.diag([2.0, 2.0, 2.0, 1.0])))
    added = grow(np.zeros_like(organ), scan, (20, 20, 20))
    overlap = 2 * (added & organ).sum() / (added.sum() + organ.sum())
    assert overlap > 0.9
    assert not (added & other & ~organ).any()
    removed = grow(organ | other, scan, (20, 20, 20), inside=False)
    assert (removed & organ).sum() < 0.15 * organ.sum()
    with pytest.raises(ConfigError, match="outside the scan"):
        grow(organ, scan, (41, 0, 0))
