"""What a mask must fulfil because the liver is one organ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.shapes import Labels

FAR_MM = (
    20.0  # between the boxes around two components: no lobe of a liver lies so far from the rest
)

_TOUCHING = np.ones((3, 3, 3), bool)  # faces, edges and corners


def remove_islands(
    labels: Labels, share: float, spacing_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> None:
    """Remove, in place, small connected components, and all that lie far from the largest.

    Not only the largest is kept: thick slices can part the left lobe from the right. The result
    does not depend on the order of the axes, nor on ties.

    Args:
        labels: 0 or 1, three axes in any order.
        share: Components with less than this share of the largest one's voxels go: between 0 (keep all)
            and 1 (keep the largest, or all that are as large).
        spacing_mm: Voxel size along the three axes, which tells what lies further than `FAR_MM` from the
            largest; zeros: nothing does.
    """
    boxes = ndimage.find_objects(labels)
    if share == 0 or not boxes:
        return
    inside = labels[boxes[0]]  # a view; the component numbers need memory for the liver's box only
    components, count = ndimage.label(inside, structure=_TOUCHING)
    if count > 1:
        # plane by plane: counting or looking up all at once takes eight bytes a voxel
        sizes = np.zeros(count + 1, np.int64)
        for plane in components:
            sizes += np.bincount(plane.ravel(), minlength=count + 1)
        keep = sizes >= share * sizes[1:].max()
        keep[0] = False
        keep[1:] &= _near_the_largest(components, sizes[1:], spacing_mm)
        for plane, numbers in zip(inside, components, strict=True):
            plane[...] = keep[numbers]


def _near_the_largest(
    components: npt.NDArray[np.integer[Any]],
    sizes: npt.NDArray[np.int64],
    spacing_mm: tuple[float, float, float],
) -> npt.NDArray[np.bool_]:
    """For each component whether its box is near that of a largest one, or its own."""
    boxes = ndimage.find_objects(components)
    largest = [box for box, size in zip(boxes, sizes, strict=True) if size == sizes.max()]
    return np.array(
        [any(_apart_mm(box, each, spacing_mm) <= FAR_MM for each in largest) for box in boxes]
    )


def _apart_mm(
    one: tuple[slice, ...], other: tuple[slice, ...], spacing_mm: tuple[float, float, float]
) -> float:
    """Distance between two boxes; 0 if they overlap."""
    gaps = (max(0, a.start - b.stop, b.start - a.stop) for a, b in zip(one, other, strict=True))
    return math.hypot(*(gap * mm for gap, mm in zip(gaps, spacing_mm, strict=True)))
