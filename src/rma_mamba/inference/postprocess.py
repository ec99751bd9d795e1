"""Removal of components that cannot be liver, because the liver is one organ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from rma_mamba.shapes import Labels

# Between the bounding boxes of two components: no lobe of a liver is further from the rest.
MAX_DISTANCE_MM = 20.0

_CONNECTIVITY = np.ones((3, 3, 3), bool)  # faces, edges and corners


def remove_islands(
    labels: Labels, share: float, spacing_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> None:
    """Remove small connected components, and those far from the largest one, in place.

    Not only the largest component is kept: in thick slices the left lobe can be disconnected from the right. The
    result does not depend on the axis order, even if components are equally large.

    Args:
        labels: 0 or 1, three axes in any order.
        share: Components with fewer voxels than this share of the largest one's are removed: between 0 (keep all)
            and 1 (keep the largest, or all that are equally large).
        spacing_mm: Voxel size along the three axes; components further than `MAX_DISTANCE_MM` from the largest are
            removed. Zeros: distances are ignored.
    """
    boxes = scipy.ndimage.find_objects(labels)
    if share == 0 or not boxes:
        return
    inside = labels[boxes[0]]  # a view: component numbers need memory for the bounding box only
    components, count = scipy.ndimage.label(inside, structure=_CONNECTIVITY)
    if count > 1:
        # plane by plane: counting or indexing all voxels at once takes eight bytes per voxel
        sizes = np.zeros(count + 1, np.int64)
        for plane in components:
            sizes += np.bincount(plane.ravel(), minlength=count + 1)
        keep = sizes >= share * sizes[1:].max()
        keep[0] = False
        keep[1:] &= _near_largest(components, sizes[1:], spacing_mm)
        for plane, numbers in zip(inside, components, strict=True):
            plane[...] = keep[numbers]


def _near_largest(
    components: npt.NDArray[np.integer[Any]],
    sizes: npt.NDArray[np.int64],
    spacing_mm: tuple[float, float, float],
) -> npt.NDArray[np.bool_]:
    """For each component, whether its bounding box is near that of a largest component (or it is one itself)."""
    boxes = scipy.ndimage.find_objects(components)
    largest = [box for box, size in zip(boxes, sizes, strict=True) if size == sizes.max()]
    return np.array(
        [
            any(
                _distance_mm(box, large_box, spacing_mm) <= MAX_DISTANCE_MM for large_box in largest
            )
            for box in boxes
        ]
    )


def _distance_mm(
    one: tuple[slice, ...], other: tuple[slice, ...], spacing_mm: tuple[float, float, float]
) -> float:
    """Distance between two boxes; 0 if they overlap."""
    gaps = (max(0, a.start - b.stop, b.start - a.stop) for a, b in zip(one, other, strict=True))
    return math.hypot(*(gap * mm for gap, mm in zip(gaps, spacing_mm, strict=True)))
