"""Thumbnails of axial slices, cropped to the body, as input of the orientation network."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import scipy

from rma_mamba.slicing import IntensityScale, SliceRecipe, SliceStack

SIDE = 48  # pixels of a thumbnail, whatever the size of the patient
COARSE = SliceRecipe(size=96, spacing_mm=4.0)  # of the slices from which thumbnails are cropped

_BODY = 0.1  # of the intensity scale: brighter than air
_MIN_BODY_PX = 20  # pixels of 4 mm: anything smaller is not a body
_SLICES = 16

Image = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]  # top, bottom, left, right


def thumbnails(stack: SliceStack, count: int = _SLICES) -> tuple[Image, npt.NDArray[np.intp]]:
    """Thumbnails [slice, SIDE, SIDE], evenly spaced from inferior to superior, and the slice numbers they show.

    Slices in which no body is visible are skipped, so the result may be empty.

    Args:
        stack: The scan's slices.
        count: Number of slices to examine; all if there are fewer.
    """
    # the intensities that the orientation network was trained on, whatever the segmentation network sees
    limits = COARSE.ct_window_hu if stack.hounsfield else stack.scale.range
    coarse = SliceStack(stack.volume, COARSE, IntensityScale(*limits))
    chosen = np.unique(np.linspace(0, len(coarse) - 1, count).round().astype(int))
    images, slice_numbers = [], []
    for at in chosen.tolist():
        image = coarse[at : at + 1][0, 0]
        box = body_box(image)
        if box is not None:
            images.append(crop(image, box))
            slice_numbers.append(at)
    empty = np.zeros((0, SIDE, SIDE), np.float32)
    return np.stack(images) if images else empty, np.array(slice_numbers, np.intp)


def body_box(image: Image) -> Box | None:
    """Bounding box of the largest object brighter than air in a slice of 4 mm pixels; None if it is too small."""
    parts, count = scipy.ndimage.label(scipy.ndimage.binary_opening(image > _BODY))
    if not count:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    rows, columns = scipy.ndimage.find_objects(parts)[int(sizes.argmax())]
    if min(rows.stop - rows.start, columns.stop - columns.start) < _MIN_BODY_PX:
        return None
    return rows.start, rows.stop, columns.start, columns.stop


def crop(image: Image, box: Box) -> Image:
    """The inside of a box, resized to SIDE x SIDE pixels and normalised to mean 0 and standard deviation 1."""
    top, bottom, left, right = box
    inside = image[top:bottom, left:right]
    small = _resampling(inside.shape[0]) @ inside @ _resampling(inside.shape[1]).T
    normalised = (small - small.mean()) / (small.std(ddof=1) + 1e-3)
    return np.asarray(normalised, np.float32)


@cache
def _resampling(size: int) -> npt.NDArray[np.float64]:
    """Weights [SIDE, size] of linear interpolation, with a wider kernel where pixels are averaged (antialiasing)."""
    scale = size / SIDE
    centre = (np.arange(SIDE)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(size) + 0.5 - centre) / max(1.0, scale)
    weights = np.clip(1 - distance, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
