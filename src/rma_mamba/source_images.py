"""Where the slices of a volume came from: the images behind it, in order, and the way back to them.

A volume of an even stack is its slices, pixel for pixel. One that was repaired (missing slices filled in, a
tilted gantry straightened) lies on a grid of its own; its mask goes back to the images by their positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

# A shift by less than this share of a pixel moves nothing.
_STILL = 1e-6


@dataclass(frozen=True)
class SourceImage:
    """One image of a scan: a file, or a frame of a multi-frame object.

    Args:
        instance_uid: Its SOPInstanceUID; "" if the file has none.
        frame: Its number in a multi-frame object, from 1; None for a file of its own.
        position_lps: Centre of its first pixel, LPS+ mm (DICOM's ImagePositionPatient).
        open: Opens the whole DICOM file, wherever it lies; close what it returns.
    """

    instance_uid: str
    frame: int | None
    position_lps: tuple[float, float, float]
    open: Callable[[], BinaryIO] = field(repr=False)


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The images behind a volume.

    Args:
        slices: The images along k.
        size: Columns and rows of each image: the length of its axes i and j.
        offsets: float64 [slice, 3], the volume's index (i, j, k) of the first pixel of each image.
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
        """A mask on the volume's grid, brought to the images: uint8 {0, 1} [column, row, image].

        Where an image lies between voxels, a pixel is in the mask if the linear mean of the voxels around it
        is at least one half.
        """
        marked: npt.NDArray[np.uint8] = np.asarray(labels != 0).view(np.uint8)
        if self.is_regular and marked.shape == (*self.size, len(self.slices)):
            return marked
        found = np.zeros((*self.size, len(self.slices)), np.uint8)
        for n, (i, j, k) in enumerate(self.offsets.tolist()):
            below = min(max(math.floor(k + _STILL), 0), marked.shape[2] - 1)
            above = min(below + 1, marked.shape[2] - 1)
            plane = mixed(marked[:, :, below], marked[:, :, above], k - below)
            found[:, :, n] = sampled(plane, (i, j), self.size, 0) >= 0.5
        return found


def mixed(
    first: npt.NDArray[Any], second: npt.NDArray[Any], share: float
) -> npt.NDArray[np.float32]:
    """Linear mean of two images, of which the second has this share; an image alone stays exact."""
    if share < _STILL:
        return first.astype(np.float32)
    if share > 1 - _STILL:
        return second.astype(np.float32)
    one, other = first.astype(np.float32), second.astype(np.float32)
    return one * np.float32(1 - share) + other * np.float32(share)


def sampled(
    image: npt.NDArray[np.float32], start: tuple[float, float], size: tuple[int, int], fill: float
) -> npt.NDArray[np.float32]:
    """The image at (i + start[0], j + start[1]) for all i, j below `size`, linearly; `fill` outside of it."""
    for axis in (0, 1):
        image = _moved(image, start[axis], size[axis], fill, axis)
    return image


def _moved(
    image: npt.NDArray[np.float32], start: float, length: int, fill: float, axis: int
) -> npt.NDArray[np.float32]:
    whole = math.floor(start + _STILL)
    share = start - whole
    first = _taken(image, whole, length, fill, axis)
    if share < _STILL:
        return first
    return mixed(first, _taken(image, whole + 1, length, fill, axis), share)


def _taken(
    image: npt.NDArray[np.float32], start: int, length: int, fill: float, axis: int
) -> npt.NDArray[np.float32]:
    """`length` rows (or columns) from `start` on, which may lie outside."""
    shape = list(image.shape)
    shape[axis] = length
    taken = np.full(shape, fill, np.float32)
    low, high = max(start, 0), min(start + length, image.shape[axis])
    if low < high:
        place, source = [slice(None)] * 2, [slice(None)] * 2
        place[axis], source[axis] = slice(low - start, high - start), slice(low, high)
        taken[tuple(place)] = image[tuple(source)]
    return taken
