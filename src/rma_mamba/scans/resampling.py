"""Slices that lie unevenly, brought onto the regular grid that was found for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.source_images import SourceImages, mixed, sampled

Image = npt.NDArray[Any]


def resample_slices(
    slabs: Iterator[Image], source: SourceImages, shape: tuple[int, int, int], fill: float
) -> npt.NDArray[Any]:
    """Values [i, j, k] on a regular grid from slices, linearly along k and within each slice.

    Args:
        slabs: Values [column, row] of each slice, in order; each is asked for once.
        source: Where the slices lie on the grid.
        shape: Size of the grid.
        fill: Value beside a slice.

    Returns:
        int16 if all slices are int16 or uint8, else float32.
    """
    values = np.empty(shape, np.float32, order="F")
    whole = True
    heights = source.offsets[:, 2]
    below: Image | None = None
    k = 0
    for n, slab in enumerate(slabs):
        whole &= slab.dtype.kind in "iu"
        i, j = source.offsets[n, :2]
        image = sampled(slab.astype(np.float32), (-i, -j), shape[:2], fill)
        # the planes between the slice below and this one; whatever lies beyond the last is the last
        while k < shape[2] and (k <= heights[n] + 1e-6 or n == len(heights) - 1):
            gap = heights[n] - heights[n - 1] if n else 1.0
            share = min(max(1 - (heights[n] - k) / gap, 0.0), 1.0) if n else 1.0
            values[:, :, k] = image if below is None else mixed(below, image, share)
            k += 1
        below = image
    return np.rint(values).astype(np.int16) if whole else values
