"""Where a mask ends: its border voxels, and where the edge of the scan cuts it off."""

from __future__ import annotations

import math

import numpy as np

from rma_mamba.reporting.measure import FACES, Face
from rma_mamba.volume import Mask

# Standard deviation of a place that may be anywhere within half a voxel, in halves of a voxel (JCGM 100:2008, 4.3.7).
_FACTOR = 1 / math.sqrt(3)


def border_voxels(mask: Mask) -> int:
    """Number of voxels in the mask with a face in common with a voxel outside of it.

    Beyond the edge of the scan is neither inside nor outside: what was not scanned is no border.
    """
    inside = mask.labels != 0
    core = inside.copy()
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        core[tuple(low)] &= inside[tuple(high)]
        core[tuple(high)] &= inside[tuple(low)]
    return int(np.count_nonzero(inside)) - int(np.count_nonzero(core))


def volume_uncertainty_ml(mask: Mask) -> float:
    """Standard uncertainty of the volume that the voxel size brings; 0.0 for an empty mask.

    The contour may lie anywhere within half a voxel of where voxels end, everywhere to the same side: half of
    the border voxels' volume, evenly distributed, which has a standard deviation of 1/sqrt(3) of that.
    """
    half_ml = border_voxels(mask) * mask.geometry.voxel_volume_ml / 2
    return _FACTOR * half_ml


def cut_areas_mm2(mask: Mask) -> dict[Face, float]:
    """For each face of the scan the area of the mask in its outermost plane, which the face cuts through."""
    order = mask.geometry.canonical
    labels = order.apply(mask.labels)
    axes = mask.geometry.in_canonical_order.affine[:3, :3]
    areas: dict[Face, float] = {}
    for axis, names in enumerate(FACES):
        one, other = (axes[:, each] for each in range(3) if each != axis)
        pixel_mm2 = float(np.linalg.norm(np.cross(one, other)))
        for name, plane in zip(names, (0, -1), strict=True):
            areas[name] = int(np.count_nonzero(np.take(labels, plane, axis))) * pixel_mm2
    return areas
