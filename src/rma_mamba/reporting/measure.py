"""Basic measurements of a mask: volume, extent, and whether the scan covers the whole liver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rma_mamba.volume import Geometry, Mask

Face = Literal["inferior", "superior", "anterior", "posterior", "right", "left"]

# First and last plane of each canonical axis (inferior to superior, anterior to posterior, right to left).
FACES: tuple[tuple[Face, Face], ...] = (
    ("inferior", "superior"),
    ("anterior", "posterior"),
    ("right", "left"),
)


@dataclass(frozen=True)
class Measurements:
    """Result of `measure`.

    Args:
        volume_ml: Voxel-count volume in millilitres; 0.0 if the mask is empty.
        extent_mm: Size of the bounding box right to left, anterior to posterior and inferior to superior, along
            the scan axes closest to these directions, in mm; zeros if the mask is empty.
        touches_border: Faces of the scan that the liver reaches, as far as they are known (`Mask.open_axis`). If there
            are any, part of the liver may lie outside the scan, and `volume_ml` is a lower bound.
    """

    volume_ml: float
    extent_mm: tuple[float, float, float]
    touches_border: tuple[Face, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Caveats for the reader, one sentence each."""
        if self.volume_ml == 0:
            return ("No liver was found in the scan.",)
        if self.touches_border:
            faces = ", ".join(self.touches_border)
            return (
                f"The liver reaches the edge of the scan ({faces}): "
                "part of it may lie outside the scan, and the volume is a lower bound.",
            )
        return ()


def measure(mask: Mask) -> Measurements:
    """Volume, extent and border contact of labels > 0.

    Works on any grid, including oblique ones; an empty mask measures zero and touches no face.

    Example:
        >>> measure(result.mask).volume_ml
        1512.3
    """
    mask = with_margin(mask)
    order = mask.geometry.canonical
    labels = order.apply(mask.labels) > 0
    spacing_mm = [mask.geometry.spacing_mm[axis] for axis in order.permutation]
    extent_mm: list[float] = []
    touched: list[Face] = []
    in_plane = np.any(labels, axis=0)
    occupied = (np.any(labels, axis=(1, 2)), np.any(in_plane, axis=1), np.any(in_plane, axis=0))
    for planes, size_mm, (first, last) in zip(occupied, spacing_mm, FACES, strict=True):
        filled = np.flatnonzero(planes)
        extent_mm.append(float(filled[-1] - filled[0] + 1) * size_mm if filled.size else 0.0)
        touched += [face for face, edge in ((first, 0), (last, -1)) if planes[edge]]
    inferior_to_superior, anterior_to_posterior, right_to_left = extent_mm
    return Measurements(
        mask.volume_ml, (right_to_left, anterior_to_posterior, inferior_to_superior), tuple(touched)
    )


def unknown_faces(mask: Mask) -> tuple[Face, ...]:
    """The faces of a grid that may not be those of the scan; none for a mask on the grid of its scan."""
    if mask.open_axis is None:
        return ()
    return FACES[mask.geometry.canonical.permutation.index(mask.open_axis)]


def with_margin(mask: Mask) -> Mask:
    """A mask whose grid has an empty plane at both ends of its open axis; other masks are returned unchanged."""
    axis = mask.open_axis
    if axis is None:
        return mask
    labels = np.pad(mask.labels, [(1, 1) if each == axis else (0, 0) for each in range(3)])
    affine = mask.geometry.affine.copy()
    affine[:3, 3] -= affine[:3, axis]
    i, j, k = labels.shape
    return Mask(labels, Geometry((i, j, k), affine))
