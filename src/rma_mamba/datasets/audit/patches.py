"""Small patches of the liver, by which copies of a scan are recognised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

SIDE = 24  # pixels of a patch
_SLICES, _COARSE = 3, 9  # patches of a case; pixels of a patch's coarse brightness
_MOSTLY = 0.9  # share of liver of a pixel of a patch
_FEWEST_PIXELS = 150  # of liver in a slice
_CLIPPED_AT = (
    2.2  # times the median absolute value; 1.5 standard deviations of a normal distribution
)


def largest_patches(
    images: Sequence[npt.NDArray[np.generic]], livers: Sequence[npt.NDArray[np.uint8]]
) -> tuple[npt.NDArray[np.float32], ...]:
    """The liver in the three slices where it is largest, as vectors of length 1.

    Args:
        images: Intensities [i, j, k] of a case.
        livers: 1 where the liver is, same shapes.
    """
    areas = [
        (int(area), n, k)
        for n, liver in enumerate(livers)
        for k, area in enumerate(liver.sum(axis=(0, 1), dtype=np.int64))
        if area >= _FEWEST_PIXELS
    ]
    found = (
        _patch(images[n][:, :, k], livers[n][:, :, k]) for _, n, k in sorted(areas)[::-1][:_SLICES]
    )
    return tuple(each for each in found if each is not None)


def _patch(
    plane: npt.NDArray[np.generic], liver: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32] | None:
    box = ndimage.find_objects(liver)[0]
    inside, weight = plane[box].astype(np.float32), liver[box].astype(np.float32)
    if min(inside.shape) < SIDE // 3:
        return None
    # everything outside of the liver is ignored, because livers of similar shape must not look alike
    inside = (inside - inside[weight > 0].mean()) * weight
    small, share = (_shrunk(each) for each in (inside, weight))
    coarse = ndimage.uniform_filter(small, _COARSE) / np.maximum(
        ndimage.uniform_filter(share, _COARSE), 0.05
    )
    inner = share > _MOSTLY
    vector = _clipped((small - coarse * share)[inner], inner)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else None


def _clipped(
    values: npt.NDArray[np.float32], inner: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """The values as a vector of a whole patch, without outliers: two livers with a lesion in the same place must not
    look alike."""
    limit = _CLIPPED_AT * float(np.median(np.abs(values))) if values.size else 0.0
    vector = np.zeros(inner.shape, np.float32)
    vector[inner] = np.clip(values, -limit, limit) if limit else values
    return vector.ravel()


def _shrunk(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    smooth = ndimage.uniform_filter(plane, max(1, min(plane.shape) // SIDE))
    zoom = [SIDE / size for size in plane.shape]
    small: npt.NDArray[np.float32] = ndimage.zoom(
        smooth, zoom, order=1, grid_mode=True, mode="nearest"
    )
    return small
