"""Mean and standard deviation of the scan's intensities in the liver."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rma_mamba.volume import Mask, Volume, different_grids


def mean_and_sd(mask: Mask, scan: Volume) -> tuple[float | None, float | None]:
    """Mean and standard deviation (n - 1) of the scan's intensities where labels > 0; None where undefined.

    The axes of scan and mask may be stored in different order and direction.

    Raises:
        GridError: Mask and scan are not on the same grid.
    """
    mask_grid, scan_grid = mask.geometry.in_canonical_order, scan.geometry.in_canonical_order
    if not mask_grid.matches(scan_grid):
        raise different_grids(mask_grid, scan_grid)
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
