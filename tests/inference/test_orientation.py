"""A network that knows one orientation tells a mirrored patient."""

import numpy as np
import pytest

from rma_mamba.inference.orientation import find_mirror, sure_pixels
from rma_mamba.slicing import SliceRecipe, SliceStack
from rma_mamba.volume import Geometry, Volume

RECIPE = SliceRecipe(size=64, spacing_mm=4.0)


def logits(images: np.ndarray) -> np.ndarray:
    """Sure of liver where it is bright in the quarter at the front right of the patient."""
    found = np.where(images[:, :1] > 0.8, 5.0, -5.0)
    found[:, :, 32:] = -5
    found[..., 32:] = -5
    return found


def stack(slices: int = 12, bright: tuple[int, int] = (0, 0)) -> SliceStack:
    """A body with a bright organ in one quarter, in canonical order."""
    values = np.full((slices, 64, 64), 300, np.int16)
    rows, columns = (slice(10 + 32 * half, 26 + 32 * half) for half in bright)
    values[:, rows, columns] = 1000
    affine = np.array([[0, 0, -4.0, 0], [0, -4, 0, 0], [5, 0, 0, 0], [0, 0, 0, 1]])
    return SliceStack(Volume(values, Geometry(values.shape, affine), "MR"), RECIPE)


@pytest.mark.parametrize(
    ("bright", "mirror"),
    [
        ((0, 0), None),
        ((0, 1), "left and right"),
        ((1, 0), "belly and back"),
        ((1, 1), "left and right, and belly and back"),
    ],
)
def test_each_mirror_image_is_told(bright: tuple[int, int], mirror: str | None) -> None:
    assert find_mirror(stack(bright=bright), logits) == mirror


def test_nothing_is_said_of_few_slices_or_little_liver() -> None:
    assert find_mirror(stack(4, (1, 1)), logits) is None
    assert find_mirror(stack(bright=(0, 1)), lambda images: logits(0 * images)) is None


def test_a_little_more_in_a_mirror_image_is_no_mirror() -> None:
    assert set(sure_pixels(stack(), logits).values()) == {0, 10 * 16 * 16}
    even = lambda images: np.full((len(images), 1, 64, 64), 5.0)  # noqa: E731
    assert find_mirror(stack(), even) is None
