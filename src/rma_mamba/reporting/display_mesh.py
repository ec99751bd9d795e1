"""A simplified surface of a mask for display in the report; not for measurement or 3-D printing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rma_mamba.surface import surface_of
from rma_mamba.volume import Geometry, Mask

_VOXELS = 64  # along the longest side of the bounding box: about ten thousand triangles


@dataclass(frozen=True, eq=False)
class DisplayMesh:
    """A triangle mesh of the liver.

    Args:
        points_mm: float32 [point, 3], LPS+ mm relative to the centre of the bounding box.
        triangles: uint32 [triangle, 3], indices of points, counter-clockwise as seen from outside.
    """

    points_mm: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.uint32]


def display_mesh(mask: Mask) -> DisplayMesh:
    """The surface of a mask, reduced to coarse voxels; without triangles if the mask is empty."""
    surface = surface_of(_coarse(mask))
    if not len(surface.faces):
        return DisplayMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint32))
    # RAS to LPS: two axes flip, so triangles keep their orientation
    points = surface.vertices_mm * (-1, -1, 1)
    points -= (points.min(axis=0) + points.max(axis=0)) / 2
    return DisplayMesh(points.astype(np.float32), surface.faces.astype(np.uint32))


def _coarse(mask: Mask) -> Mask:
    """The bounding box reduced to blocks of voxels; a block is liver if at least half of it is."""
    from scipy import ndimage

    boxes = ndimage.find_objects((mask.labels > 0).astype(np.uint8))
    if not boxes:
        return mask
    inside = mask.labels[boxes[0]] > 0
    spacing_mm = np.array(mask.geometry.spacing_mm)
    side_mm = float((inside.shape * spacing_mm).max()) / _VOXELS
    blocks = np.maximum(1, np.floor(side_mm / spacing_mm)).astype(int)
    rest = -np.array(inside.shape) % blocks
    field = np.pad(inside, [(0, more) for more in rest.tolist()]).astype(np.float32)
    for axis, block in enumerate(blocks.tolist()):
        field = field.reshape(*field.shape[:axis], -1, block, *field.shape[axis + 1 :]).mean(
            axis + 1
        )
    to_voxel = np.diag([*blocks.astype(float), 1.0])
    to_voxel[:3, 3] = [part.start for part in boxes[0]] + (blocks - 1) / 2
    labels = (field >= 0.5).astype(np.uint8)
    return Mask(labels, Geometry(labels.shape, mask.geometry.affine @ to_voxel))
