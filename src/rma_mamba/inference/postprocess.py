"""What a mask must fulfil because the liver is one organ."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from rma_mamba.shapes import Labels

_TOUCHING = np.ones((3, 3, 3), bool)  # faces, edges and corners


def remove_islands(labels: Labels, share: float) -> None:
    """Remove, in place, connected components with less than `share` of the largest one's voxels.

    Not only the largest is kept: thick slices can part the left lobe from the right. The result
    does not depend on the order of the axes, nor on ties.

    Args:
        labels: 0 or 1, three axes in any order.
        share: Between 0 (keep all) and 1 (keep the largest, or all that are as large).
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
        for plane, numbers in zip(inside, components, strict=True):
            plane[...] = keep[numbers]
