"""Dice, worked out by hand, with every empty case decided."""

import numpy as np
import pytest

from rma_mamba.errors import GridError
from rma_mamba.metrics import dice


def mask(*voxels: int) -> np.ndarray:
    labels = np.zeros((2, 3, 2), np.uint8)
    labels.ravel()[list(voxels)] = 1
    return labels


@pytest.mark.parametrize(
    ("found", "true", "expected"),
    [
        (mask(0, 1, 2), mask(0, 1, 2), 1.0),
        (mask(0, 1, 2), mask(2, 3), 2 / 5),
        (mask(0), mask(1), 0.0),
        (mask(), mask(), 1.0),
        (mask(), mask(1), 0.0),
        (mask(1), mask(), 0.0),
        (255 * mask(0, 1), mask(0), 2 / 3),
    ],
)
def test_dice_is_twice_what_is_shared_over_what_there_is(
    found: np.ndarray, true: np.ndarray, expected: float
) -> None:
    assert dice(found, true) == pytest.approx(expected)
    assert dice(true, found) == pytest.approx(expected)


def test_masks_on_different_grids_are_refused() -> None:
    with pytest.raises(GridError, match="expected one grid"):
        dice(mask(0), mask(0)[:1])
