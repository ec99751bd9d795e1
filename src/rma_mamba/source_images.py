"""The DICOM images from which a volume was read, and the mapping of a mask back onto them.

A regular series is stored in the volume pixel for pixel. A series that had to be resampled (missing slices
interpolated, gantry tilt corrected) has a grid of its own; its mask is mapped back to the images by position.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

# Shifts below this fraction of a pixel are ignored.
_NEGLIGIBLE_SHIFT = 1e-6


@dataclass(frozen=True)
class SourceImage:
    """One image of a scan: a DICOM file, or a frame of a multi-frame object.

    Args:
        instance_uid: SOPInstanceUID; "" if the file has none.
        frame: Frame number in a multi-frame object, counted from 1; None for a single-frame file.
        position_lps: Centre of the first pixel in LPS+ mm (ImagePositionPatient).
        open: Open the whole DICOM file, on disk or in an archive; the caller closes it.
    """

    instance_uid: str
    frame: int | None
    position_lps: tuple[float, float, float]
    open: Callable[[], BinaryIO] = field(repr=False)


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The images from which a volume was read.

    Args:
        slices: The images in the order of k.
        size: Columns and rows of each image, along axes i and j.
        offsets: float64 [slice, 3]: index (i, j, k) in the volume of the first pixel of each image.
    """

    slices: tuple[SourceImage, ...]
    size: tuple[int, int]
    offsets: npt.NDArray[np.float64] = field(repr=False)

    @property
    def is_regular(self) -> bool:
        """Whether image n is `volume[:, :, n]`, pixel for pixel."""
        expected = np.zeros_like(self.offsets)
        expected[:, 2] = np.arange(len(self.offsets))
        return bool(np.array_equal(self.offsets, expected))

    def on_slices(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Map a mask on the grid of the volume onto the images: uint8 {0, 1} [column, row, image].

        For an image between voxels, a pixel belongs to the mask if the linear interpolation of the mask is at
        least one half.
        """
        mask: npt.NDArray[np.uint8] = np.asarray(labels != 0).view(np.uint8)
        if self.is_regular and mask.shape == (*self.size, len(self.slices)):
            return mask
        on_images = np.zeros((*self.size, len(self.slices)), np.uint8)
        for n, (i, j, k) in enumerate(self.offsets.tolist()):
            below = min(max(math.floor(k + _NEGLIGIBLE_SHIFT), 0), mask.shape[2] - 1)
            above = min(below + 1, mask.shape[2] - 1)
            plane = interpolated(mask[:, :, below], mask[:, :, above], k - below)
            on_images[:, :, n] = shifted(plane, (i, j), self.size, 0) >= 0.5
        return on_images


def interpolated(
    first: npt.NDArray[Any], second: npt.NDArray[Any], weight: float
) -> npt.NDArray[np.float32]:
    """Linear interpolation of two images; `weight` is that of the second. Exact for weights 0 and 1."""
    if weight < _NEGLIGIBLE_SHIFT:
        return first.astype(np.float32)
    if weight > 1 - _NEGLIGIBLE_SHIFT:
        return second.astype(np.float32)
    one, other = first.astype(np.float32), second.astype(np.float32)
    return one * np.float32(1 - weight) + other * np.float32(weight)


def shifted(
    image: npt.NDArray[np.float32], start: tuple[float, float], size: tuple[int, int], fill: float
) -> npt.NDArray[np.float32]:
    """Linear interpolation of the image at (i + start[0], j + start[1]) for all i, j below `size`.

    Pixels outside the image have the value `fill`.
    """
    for axis in (0, 1):
        image = _shifted_along(image, start[axis], size[axis], fill, axis)
    return image


def _shifted_along(
    image: npt.NDArray[np.float32], start: float, length: int, fill: float, axis: int
) -> npt.NDArray[np.float32]:
    whole = math.floor(start + _NEGLIGIBLE_SHIFT)
    fraction = start - whole
    first = _cropped_or_padded(image, whole, length, fill, axis)
    if fraction < _NEGLIGIBLE_SHIFT:
        return first
    return interpolated(first, _cropped_or_padded(image, whole + 1, length, fill, axis), fraction)


def _cropped_or_padded(
    image: npt.NDArray[np.float32], start: int, length: int, fill: float, axis: int
) -> npt.NDArray[np.float32]:
    """`length` rows (or columns) from index `start`, which may lie outside the image."""
    shape = list(image.shape)
    shape[axis] = length
    result = np.full(shape, fill, np.float32)
    low, high = max(start, 0), min(start + length, image.shape[axis])
    if low < high:
        target, source = [slice(None)] * 2, [slice(None)] * 2
        target[axis], source[axis] = slice(low - start, high - start), slice(low, high)
        result[tuple(target)] = image[tuple(source)]
    return result
