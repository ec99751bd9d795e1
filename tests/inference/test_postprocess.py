"""Small and distant components are removed, whatever the order of the axes."""

import numpy as np
import pytest

from rma_mamba.inference.postprocess import remove_islands


def drawn() -> np.ndarray:
    labels = np.zeros((30, 20, 10), np.uint8)
    labels[2:12, 2:12, 2:8] = 1  # 600 voxels
    labels[20:24, 4:9, 3:8] = 1  # 100 voxels: a lobe apart
    labels[27, 15:18, 4] = 1  # 3 voxels
    labels[12, 12, 8] = 1  # touches the largest by a corner
    return labels


def test_small_components_are_removed_and_a_separate_lobe_is_kept() -> None:
    labels = drawn()
    remove_islands(labels, 0.1)
    assert labels.sum() == 701
    remove_islands(labels, 0.5)
    assert labels.sum() == 601
    assert labels[12, 12, 8] == 1


def test_nothing_is_removed_at_share_zero_or_from_an_empty_mask() -> None:
    labels = drawn()
    remove_islands(labels, 0)
    assert np.array_equal(labels, drawn())
    empty = np.zeros((4, 4, 4), np.uint8)
    remove_islands(empty, 0.1)
    assert not empty.any()


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_distant_components_of_any_size_are_removed(
    axes: tuple[int, ...],
) -> None:
    spacing = tuple((1.0, 1.0, 8.0)[axis] for axis in axes)
    labels = np.zeros((40, 20, 12), np.uint8)
    labels[0:12, 2:12, 6:11] = 1  # the liver
    labels[20:30, 2:12, 6:9] = 1  # 8 mm to its left: a lobe
    labels[0:12, 2:12, 0:3] = 1  # three slices of 8 mm below it
    near, far = labels.copy(), labels.copy()
    near[0:12, 2:12, 3] = 1  # two slices: 16 mm
    for each, kept in ((near, 600 + 300 + 480), (far, 600 + 300)):
        turned = each.transpose(axes)[:, ::-1].copy()
        remove_islands(turned, 0.1, spacing)
        assert turned.sum() == kept
    without = labels.copy()
    remove_islands(without, 0.1)
    assert without.sum() == labels.sum()


def test_distant_components_of_equal_size_are_both_kept() -> None:
    labels = np.zeros((30, 5, 5), np.uint8)
    labels[0:4] = labels[26:30] = 1
    remove_islands(labels, 0.1, (2.0, 1.0, 1.0))
    assert labels.sum() == 200


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_order_of_the_axes_does_not_matter_even_for_ties(axes: tuple[int, ...]) -> None:
    labels = np.zeros((20, 9, 9), np.uint8)
    labels[1:4, 1:4, 1:4] = labels[10:13, 5:8, 2:5] = 1
    turned = labels.transpose(axes)[::-1].copy()
    remove_islands(turned, 1)
    assert np.array_equal(turned, labels.transpose(axes)[::-1])
