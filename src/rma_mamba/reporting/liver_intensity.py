"""Mean and standard deviation of the scan's intensities in the liver."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.volume import Geometry, Mask, Volume, grid_description


def mean_and_sd(mask: Mask, scan: Volume) -> tuple[float | None, float | None]:
    """Mean and standard deviation (n - 1) of the scan's intensities where labels > 0; None where undefined.

    The axes of scan and mask may be stored in different order and direction.

    Raises:
        GridError: Mask and scan are not on the same grid.
    """
    mask_grid, scan_grid = mask.geometry.in_canonical_order, scan.geometry.in_canonical_order
    if not mask_grid.matches(scan_grid):
        raise GridError(
            f"the grid of the mask ({_description(mask_grid)}) differs from that of the scan "
            f"({_description(scan_grid)}); expected the same grid. Use the scan from which the mask was made, or "
            "resample the mask with nearest-neighbour interpolation."
        )
    labels = mask.geometry.canonical.apply(mask.labels)
    values = scan.geometry.canonical.apply(scan.values)
    planes = [
        plane[inside != 0].astype(np.float64)
        for plane, inside in zip(values, labels, strict=True)
        if inside.any()
    ]
    return _statistics(planes)


def _statistics(planes: list[npt.NDArray[np.float64]]) -> tuple[float | None, float | None]:
    count = sum(len(plane) for plane in planes)
    if not count:
        return None, None
    mean = sum(float(plane.sum()) for plane in planes) / count
    if count == 1:
        return mean, None
    squares = sum(float(np.square(plane - mean).sum()) for plane in planes)
    return mean, math.sqrt(squares / (count - 1))


def _description(grid: Geometry) -> str:
    """Shape, spacing and centre; axes right to left, anterior to posterior, inferior to superior."""
    middle = grid.affine @ [*((size - 1) / 2 for size in grid.shape), 1]
    centre = ", ".join(f"{value:.4g}" for value in middle[:3])
    return f"{grid_description(grid)} around ({centre}) mm"
