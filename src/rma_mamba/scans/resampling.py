"""Resampling of unevenly spaced or tilted slices onto a regular grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.source_images import SourceImages, interpolated, shifted

Image = npt.NDArray[Any]


def resample_slices(
    slices: Iterator[Image], images: SourceImages, shape: tuple[int, int, int], fill: float
) -> npt.NDArray[Any]:
    """Resample slices onto a regular grid by linear interpolation, along k and within each slice.

    Args:
        slices: Values [column, row] of each slice, in order; each slice is consumed once.
        images: Positions of the slices on the grid.
        shape: Size of the grid.
        fill: Value of voxels outside a slice.

    Returns:
        Values [i, j, k]: int16 if all slices are int16 or uint8, else float32.
    """
    values = np.empty(shape, np.float32, order="F")
    integers = True
    positions = images.offsets[:, 2]
    previous: Image | None = None
    k = 0
    for n, pixels in enumerate(slices):
        integers &= pixels.dtype.kind in "iu"
        i, j = images.offsets[n, :2]
        image = shifted(pixels.astype(np.float32), (-i, -j), shape[:2], fill)
        # All planes of the grid up to this slice; planes beyond the last slice repeat it.
        while k < shape[2] and (k <= positions[n] + 1e-6 or n == len(positions) - 1):
            gap = positions[n] - positions[n - 1] if n else 1.0
            weight = min(max(1 - (positions[n] - k) / gap, 0.0), 1.0) if n else 1.0
            values[:, :, k] = image if previous is None else interpolated(previous, image, weight)
            k += 1
        previous = image
    return np.rint(values).astype(np.int16) if integers else values
