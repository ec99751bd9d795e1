"""A mask's surface as a small mesh: for the report's picture, neither to measure nor to print."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.volume import Mask

_VOXELS = 64  # along the longest side of the liver's box: some ten thousand triangles
_SMOOTH = 0.8  # voxels


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles around the liver.

    Args:
        points_mm: float32 [point, 3]: to the left, to the back, up; the middle of the liver's box is 0.
        triangles: uint32 [triangle, 3], numbers of points, counter-clockwise from outside.
    """

    points_mm: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.uint32]


def surface(mask: Mask) -> Mesh:
    """The surface of a mask on a coarse grid, lightly smoothed; no triangles if it is empty."""
    field, spacing_mm = _field(mask)
    if field.size == 0:
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32))
    from skimage.measure import marching_cubes  # slow to import, needed for reports alone

    points, triangles, _, _ = marching_cubes(field, 0.5, gradient_direction="descent")
    points = (points - (np.array(field.shape) - 1) / 2) * spacing_mm
    up, back, left = points.T
    return Mesh(
        np.stack([left, back, up], axis=1).astype(np.float32),
        triangles.astype(np.uint32),
    )


def _field(mask: Mask) -> tuple[npt.NDArray[np.float32], float]:
    """Share of liver in the voxels of a cubic grid around it, axes up, back, left; and their size in mm."""
    order = mask.geometry.canonical
    labels = order.apply(mask.labels) > 0
    boxes = ndimage.find_objects(labels.astype(np.uint8))
    if not boxes:
        return np.zeros((0, 0, 0), np.float32), 1.0
    inside = labels[boxes[0]].astype(np.float32)
    sizes_mm = np.array([mask.geometry.spacing_mm[axis] for axis in order.permutation])
    cube_mm = max(float((inside.shape * sizes_mm).max()) / _VOXELS, 1.0)
    # averaged where voxels are finer than the cubes, then interpolated
    blur = np.maximum(cube_mm / sizes_mm - 1, 0) / 2
    padded = np.pad(inside, 2)
    field = ndimage.zoom(
        ndimage.gaussian_filter(padded, blur),
        sizes_mm / cube_mm,
        order=1,
        mode="grid-constant",
        grid_mode=True,
    )
    smooth = ndimage.gaussian_filter(np.pad(field, 2), _SMOOTH)
    return np.asarray(smooth, np.float32), cube_mm
