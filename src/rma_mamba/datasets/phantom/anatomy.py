"""Anatomy of a phantom: smooth shapes in mm, gently deformed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.phantom import organs
from rma_mamba.datasets.phantom.canvas import Build, Canvas
from rma_mamba.datasets.phantom.liver_interior import draw_liver_interior, keep_one_liver
from rma_mamba.datasets.phantom.liver_shape import LiverShape
from rma_mamba.datasets.phantom.tissues import LIVER_TISSUES

# Later organs are painted over earlier ones.
_ORGANS = (
    organs.draw_trunk,
    organs.draw_chest,
    organs.draw_liver,
    organs.draw_upper_organs,
    organs.draw_kidneys,
    organs.draw_bowel,
    organs.draw_vessels,
    draw_liver_interior,
)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Anatomy of a phantom.

    Args:
        tissue: uint8 [x, y, z], values of `Tissue`.
        liver: uint8, 1 where the liver is, including its vessels and lesions.
    """

    tissue: npt.NDArray[np.uint8] = field(repr=False)
    liver: npt.NDArray[np.uint8] = field(repr=False)


def draw_anatomy(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    random: np.random.Generator,
    *,
    randomise: bool,
    liver_shape: LiverShape | None = None,
) -> Anatomy:
    """Draw a patient centred on the grid, with the liver of another patient if its shape is given."""
    place = None if liver_shape is None else liver_shape.placed
    canvas = Canvas(shape, spacing_mm, Build.sample(random, randomise), random, place)
    for draw in _ORGANS:
        draw(canvas, random)
    tissue = canvas.tissue
    keep_one_liver(tissue)
    return Anatomy(tissue, np.isin(tissue, LIVER_TISSUES).astype(np.uint8))
