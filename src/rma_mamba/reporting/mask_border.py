"""The border of a mask: its border voxels, the volume uncertainty, and the areas cut off by the edge of the scan."""

from __future__ import annotations

import math

import numpy as np

from rma_mamba.reporting.measure import FACES, Face
from rma_mamba.volume import Mask

# Standard deviation of a uniform distribution, relative to its half-width (JCGM 100:2008, 4.3.7).
_SD_OF_HALF_WIDTH = 1 / math.sqrt(3)


def border_voxels(mask: Mask) -> int:
    """Number of voxels in the mask that share a face with a voxel outside it.

    The edge of the scan is not a border: the mask may continue beyond it.
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
    """Standard uncertainty of the volume due to the voxel size; 0.0 for an empty mask.

    The true contour may lie within half a voxel of the voxel faces, on the same side everywhere: a uniform
    distribution whose half-width is half the volume of the border voxels, and whose standard deviation is 1/sqrt(3) of
    that.
    """
    half_ml = border_voxels(mask) * mask.geometry.voxel_volume_ml / 2
    return _SD_OF_HALF_WIDTH * half_ml


def cut_areas_mm2(mask: Mask) -> dict[Face, float]:
    """For each face of the scan, the area in which it cuts through the mask: the mask in the outermost plane."""
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
