"""Lesions drawn by hand: found, missed, merged, invented."""

import math

import numpy as np
import pytest

from rma_mamba.errors import GridError
from rma_mamba.metrics.lesions import score_lesions


def boxes(*corners: tuple[int, int], shape: tuple[int, int, int] = (40, 10, 10)) -> np.ndarray:
    """Boxes of 5 x 5 voxels from one column to another."""
    mask = np.zeros(shape, np.uint8)
    for start, stop in corners:
        mask[start:stop, 2:7, 2:7] = 1
    return mask


def test_a_found_a_missed_and_an_invented_lesion() -> None:
    score = score_lesions(boxes((0, 4), (10, 14)), boxes((0, 4), (30, 34)), 0.001)
    assert [each.detected for each in score.lesions] == [True, False]
    assert [each.dice for each in score.lesions] == [1.0, 0.0]
    assert (score.predicted, score.false_positives, score.sensitivity) == (2, 1, 0.5)
    assert score.lesions[0].volume_ml == pytest.approx(0.1)


def test_a_lesion_in_two_pieces_is_one_lesion() -> None:
    score = score_lesions(boxes((0, 10)), boxes((0, 4), (6, 10)), 0.001)
    (lesion,) = score.lesions
    assert lesion.detected
    assert lesion.dice == pytest.approx(2 * 8 / 18)
    assert score.false_positives == 0


def test_a_component_that_covers_everything_detects_nothing_small() -> None:
    score = score_lesions(boxes((0, 2)), boxes((0, 40)), 0.001)
    assert not score.lesions[0].detected
    assert score.false_positives == 1


def test_a_scan_without_lesions_has_no_sensitivity() -> None:
    score = score_lesions(boxes(), boxes((0, 4)), 0.001)
    assert math.isnan(score.sensitivity)
    assert score.false_positives == 1
    assert score_lesions(boxes(), boxes(), 0.001).false_positives == 0


@pytest.mark.parametrize(
    ("voxel_ml", "group"),
    [(0.001, "below 10 mm"), (0.01, "10 to 20 mm"), (0.1, "above 20 mm")],
)
def test_size_groups_follow_the_diameter_of_a_sphere(voxel_ml: float, group: str) -> None:
    (lesion,) = score_lesions(boxes((0, 4)), boxes((0, 4)), voxel_ml).lesions
    assert lesion.size_group == group
    assert math.pi / 6 * lesion.diameter_mm**3 / 1000 == pytest.approx(lesion.volume_ml)


def test_masks_of_different_shape_are_refused() -> None:
    with pytest.raises(GridError):
        score_lesions(boxes(), boxes(shape=(20, 10, 10)), 0.001)
