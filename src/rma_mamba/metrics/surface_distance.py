"""Distances between the surfaces of two masks, in mm.

The surface of a mask consists of its voxels that share a face with the background; everything beyond the
edge of the array is background. Distances are measured between voxel centres, from each surface voxel to the
nearest surface voxel of the other mask, using the spacing of each axis. MONAI and most challenges define the
surface in this way; all surface voxels have equal weight, whatever area they represent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from rma_mamba.errors import GridError
from rma_mamba.metrics.overlap import AnyMask, Bits, as_bits

Distances = npt.NDArray[np.float64]

TOLERANCE_MM = 2.0
_ROUNDING_MM = 1e-6  # so that ten steps of 0.2 mm count as 2 mm despite rounding
_LEAF_SIZE = 32  # points per leaf of the k-d tree; faster here than the default of 10


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between the surfaces of two masks, voxel by voxel.

    If both masks are empty, all distances are 0 and the surface Dice is 1. If one is empty, all are
    undefined (NaN).

    Args:
        from_reference: Distance in mm from each surface voxel of the reference to the prediction's surface.
        from_prediction: Distance in mm from each surface voxel of the prediction to the reference's surface.
    """

    from_reference: Distances
    from_prediction: Distances

    @property
    def hd_mm(self) -> float:
        """Hausdorff distance: the largest of all distances."""
        return self._larger(100)

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directed 95th percentiles (linear interpolation), not the pooled one."""
        return self._larger(95)

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean over the pooled voxels of both surfaces."""
        return self._if_defined(0.0, lambda: float(self._all.mean()))

    def surface_dice(self, tolerance_mm: float = TOLERANCE_MM) -> float:
        """Fraction of all surface voxels that lie within `tolerance_mm` of the other surface."""
        limit = tolerance_mm + _ROUNDING_MM
        return self._if_defined(1.0, lambda: float((self._all <= limit).mean()))

    def _larger(self, percentile: float) -> float:
        directed = (self.from_reference, self.from_prediction)
        return self._if_defined(
            0.0, lambda: float(max(np.percentile(each, percentile) for each in directed))
        )

    @property
    def _all(self) -> Distances:
        return np.concatenate([self.from_reference, self.from_prediction])

    def _if_defined(self, both_empty: float, value: Callable[[], float]) -> float:
        sizes = self.from_reference.size, self.from_prediction.size
        if all(sizes):
            return value()
        return math.nan if any(sizes) else both_empty


def surface_distances(
    reference: AnyMask, prediction: AnyMask, spacing_mm: Sequence[float]
) -> SurfaceDistances:
    """All surface distances of two masks (foreground > 0) on the same 2-D or 3-D grid.

    Args:
        reference, prediction: The masks.
        spacing_mm: Voxel size along each axis, in mm.

    Raises:
        GridError: The shapes differ, or the spacing is not one positive number per axis.
    """
    true, found = as_bits(reference, prediction)
    if len(spacing_mm) != true.ndim or not all(0 < size < math.inf for size in spacing_mm):
        raise GridError(
            f"the spacing is {tuple(spacing_mm)} mm; expected {true.ndim} positive numbers. "
            "Correct the mask's header."
        )
    box = _bounding_box(true | found)
    surfaces = [_surface(mask[box]) for mask in (true, found)]
    return SurfaceDistances(
        _nearest_mm(surfaces[0], surfaces[1], spacing_mm),
        _nearest_mm(surfaces[1], surfaces[0], spacing_mm),
    )


def hausdorff_mm(reference: AnyMask, prediction: AnyMask, spacing_mm: Sequence[float]) -> float:
    """Hausdorff distance in mm; arguments, empty masks and errors as in `surface_distances`."""
    return surface_distances(reference, prediction, spacing_mm).hd_mm


def hausdorff95_mm(reference: AnyMask, prediction: AnyMask, spacing_mm: Sequence[float]) -> float:
    """HD95 (`SurfaceDistances.hd95_mm`); arguments, empty masks and errors as in `surface_distances`."""
    return surface_distances(reference, prediction, spacing_mm).hd95_mm


def average_surface_distance_mm(
    reference: AnyMask, prediction: AnyMask, spacing_mm: Sequence[float]
) -> float:
    """ASSD in mm; arguments, empty masks and errors as in `surface_distances`."""
    return surface_distances(reference, prediction, spacing_mm).assd_mm


def surface_dice(
    reference: AnyMask,
    prediction: AnyMask,
    spacing_mm: Sequence[float],
    tolerance_mm: float = TOLERANCE_MM,
) -> float:
    """Normalised surface Dice; arguments, empty masks and errors as in `surface_distances`."""
    return surface_distances(reference, prediction, spacing_mm).surface_dice(tolerance_mm)


def _bounding_box(mask: Bits) -> tuple[slice, ...]:
    """The bounding box of a mask; empty slices if the mask is empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        box.append(slice(filled[0], filled[-1] + 1) if filled.size else slice(0, 0))
    return tuple(box)


def _surface(mask: Bits) -> Bits:
    return mask & ~binary_erosion(mask) if mask.size else mask


def _nearest_mm(start: Bits, target: Bits, spacing_mm: Sequence[float]) -> Distances:
    """Distance in mm from each voxel of one surface to the nearest voxel of the other; NaN if that one is empty.

    A k-d tree over the surface voxels gives exactly the same values as a distance transform, takes a third of the
    time for a liver, and does not become slower if a distant stray voxel enlarges the bounding box.
    """
    if not target.any():
        return np.full(np.count_nonzero(start), np.nan)
    distances = np.zeros(np.count_nonzero(start))
    apart = ~target[start]  # voxels that belong to both surfaces are at distance 0
    if apart.any():
        targets, starts = (np.argwhere(mask) * np.asarray(spacing_mm) for mask in (target, start))
        distances[apart] = KDTree(targets, leafsize=_LEAF_SIZE).query(starts[apart])[0]
    return distances
