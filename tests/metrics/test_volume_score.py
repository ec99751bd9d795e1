"""All metrics of a volume in one result."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.metrics import score_volume

SPACING = (2.0, 1.0, 5.0)


def box(size: int) -> np.ndarray:
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[1 : 1 + size, 1:5, 1:3] = 1
    return mask


def test_a_perfect_prediction_has_perfect_scores() -> None:
    score = score_volume(box(4), box(4), SPACING)
    assert (score.dice, score.iou, score.recall, score.precision, score.f2) == (1, 1, 1, 1, 1)
    assert (score.hd_mm, score.hd95_mm, score.assd_mm, score.nsd_2mm) == (0, 0, 0, 1)
    assert score.reference_ml == score.found_ml == pytest.approx(4 * 4 * 2 * 10 / 1000)
    assert (score.volume_error_ml, score.volume_error_percent, score.empty) == (0, 0, "neither")


def test_an_extra_row_is_scored_as_one_spacing_and_a_quarter_of_the_volume() -> None:
    score = score_volume(box(4), box(5), SPACING)
    assert score.hd_mm == 2
    assert score.volume_error_percent == 25
    assert score.volume_error_ml == pytest.approx(8 * 10 / 1000)
    assert (score.recall, score.precision) == (1, 0.8)
    halved = score_volume(box(4), box(5), SPACING, voxel_volume_ml=0.005)
    assert halved.volume_error_ml == pytest.approx(8 * 5 / 1000)


@pytest.mark.parametrize(
    ("true", "found", "empty", "overlaps", "distance", "percent"),
    [
        (0, 0, "both", 1, 0, 0),
        (0, 3, "reference", 0, math.nan, math.nan),
        (3, 0, "prediction", 0, math.nan, -100),
    ],
)
def test_every_case_of_empty_masks_is_defined(
    true, found, empty, overlaps, distance, percent
) -> None:
    score = asdict(score_volume(box(true), box(found), SPACING))
    assert score["empty"] == empty
    assert {score[name] for name in ("dice", "iou", "recall", "precision", "f2")} == {overlaps}
    for name in ("hd_mm", "hd95_mm", "assd_mm"):
        assert score[name] == pytest.approx(distance, nan_ok=True)
    assert score["nsd_2mm"] == pytest.approx(1 if empty == "both" else math.nan, nan_ok=True)
    assert score["volume_error_percent"] == pytest.approx(percent, nan_ok=True)


@given(axes=st.permutations(range(3)), seed=st.integers(0, 99))
def test_the_score_does_not_depend_on_the_axis_order(axes: list[int], seed: int) -> None:
    pair = np.random.default_rng(seed).random((2, 5, 6, 7)) > 0.6
    turned = [mask.transpose(axes) for mask in pair]
    expected = asdict(score_volume(*pair, SPACING))
    got = asdict(score_volume(*turned, tuple(SPACING[axis] for axis in axes)))
    assert got == pytest.approx(expected)
