"""Overlap metrics compared with values computed by hand, including all cases of empty masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from rma_mamba.errors import GridError
from rma_mamba.metrics import dice, f2, iou, overlap, precision, recall

ALL = (dice, iou, recall, precision, f2)
SHAPES = arrays.array_shapes(min_dims=2, max_dims=3, max_side=6)


def mask(*voxels: int) -> np.ndarray:
    labels = np.zeros((2, 3, 2), np.uint8)
    labels.ravel()[list(voxels)] = 1
    return labels


@pytest.mark.parametrize(
    ("true", "found", "expected"),
    [
        (mask(0, 1, 2), mask(0, 1, 2), (1, 1, 1, 1, 1)),
        (mask(0, 1, 2), mask(2, 3), (2 / 5, 1 / 4, 1 / 3, 1 / 2, 5 / 14)),
        (mask(0), mask(1), (0, 0, 0, 0, 0)),
        (mask(), mask(), (1, 1, 1, 1, 1)),
        (mask(), mask(1), (0, 0, 0, 0, 0)),
        (mask(1), mask(), (0, 0, 0, 0, 0)),
        (255 * mask(0), mask(0, 1), (2 / 3, 1 / 2, 1, 1 / 2, 5 / 6)),
    ],
)
def test_overlaps_agree_with_values_computed_by_hand(
    true: np.ndarray, found: np.ndarray, expected: tuple[float, ...]
) -> None:
    for metric, value in zip(ALL, expected, strict=True):
        assert metric(true, found) == pytest.approx(value), metric.__name__


@given(masks=SHAPES.flatmap(lambda shape: arrays.arrays(bool, (2, *shape))))
def test_the_metrics_satisfy_their_mathematical_relations(masks: np.ndarray) -> None:
    true, found = masks
    shared = iou(true, found)
    assert dice(true, found) == dice(found, true) == pytest.approx(2 * shared / (1 + shared))
    assert recall(true, found) == precision(found, true)
    of = overlap(true, found)
    if of.empty == "neither" and of.both:
        product, weighed = of.precision * of.recall, 4 * of.precision + of.recall
        assert of.f2 == pytest.approx(5 * product / weighed)


def test_nan_is_background() -> None:
    found = np.where(mask(0, 1) > 0, 1.0, np.nan)
    assert dice(mask(0, 1), found) == 1
    assert overlap(mask(), np.full((2, 3, 2), np.nan)).empty == "both"


@pytest.mark.parametrize("metric", ALL)
def test_masks_of_different_shapes_are_rejected(metric) -> None:
    with pytest.raises(GridError, match="expected the same shape"):
        metric(mask(0), mask(0)[:1])
