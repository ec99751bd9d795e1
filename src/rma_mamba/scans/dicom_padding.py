"""Pixel padding: stored values that stand for no measurement, such as those around a round field of view.

Padding is not part of the image, whatever its value: it may be darker than air or brighter than bone.

Source: DICOM PS3.3 C.7.5.1.1.2 (Pixel Padding Value and Pixel Padding Range Limit).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRBigEndian

from rma_mamba.scans.dicom_image import DicomImage

Pixels = npt.NDArray[Any]
PaddingMask = npt.NDArray[np.bool_]

_WORD = 2**16  # both elements are 16-bit words, signed or unsigned
_SIGN = 2**15

# Padding is contiguous; a value that is met here and there is that of a tissue.
_MIN_CONTIGUOUS = 0.5

# Of the values that can be stored, those that may be padding.
_MAX_SHARE = 0.5

_AIR_HU = -1024


def padding_mask(image: DicomImage, stored: Pixels, words: Pixels) -> PaddingMask | None:
    """Where a slice is padding; None if nowhere.

    Whether the elements and the pixels are written as signed or unsigned numbers is often confused; 16-bit words are
    compared, which are the same in both.

    Args:
        image: The header of the slice.
        stored: Stored values [row, column].
        words: The same, including the bits that are not stored (above BitsStored): padding may use these.
    """
    limits = _limits(image)
    if limits is None:
        return None
    found = _within(words, *limits)
    if stored.dtype.kind == "i":
        found |= _within(stored, *limits)
    return found if _is_contiguous(found) else None


def fill_padding(image: DicomImage, stored: Pixels, mask: PaddingMask, rescale: Any) -> Pixels:
    """Replace padding by air (CT) or no signal (MR), as far as stored values can express it.

    Args:
        image: The header of the slice.
        stored: Stored values [row, column].
        mask: Where they are padding.
        rescale: Slope and intercept from stored values to HU.
    """
    slope, intercept = rescale
    fill = round((_AIR_HU - intercept) / slope) if image.modality == "CT" else 0
    limits = np.iinfo(stored.dtype)
    return np.where(mask, stored.dtype.type(np.clip(fill, limits.min, limits.max)), stored)


def _limits(image: DicomImage) -> tuple[int, int] | None:
    """The words between which values are padding, either unsigned or, if that range is narrower, signed."""
    value = _word(image, "PixelPaddingValue")
    if value is None:
        return None
    limit = _word(image, "PixelPaddingRangeLimit")
    ends = sorted((value, value if limit is None else limit))
    signed = sorted((end + _SIGN) % _WORD - _SIGN for end in ends)
    low, high = min(ends, signed, key=lambda pair: pair[1] - pair[0])
    return (low, high) if _leaves_room(image, low, high) else (value, value)


def _leaves_room(image: DicomImage, low: int, high: int) -> bool:
    """Whether a range holds less than half of the values that can be stored; a wider one is an error."""
    if low == high:
        return True
    possible = np.arange(2 ** min(16, image.integer("BitsStored") or 16))
    if image.integer("PixelRepresentation") == 1:
        possible -= len(possible) // 2
    return bool(_within(possible, low, high).mean() < _MAX_SHARE)


def _word(image: DicomImage, keyword: str) -> int | None:
    """An element as unsigned 16-bit word; None if it is missing or invalid."""
    value = image.value(keyword)
    if isinstance(value, bytes):  # in Implicit VR the sign of the element is unknown
        order: Literal["big", "little"] = "big" if image.syntax == ExplicitVRBigEndian else "little"
        return int.from_bytes(value[:2], order) if len(value) >= 2 else None
    number = image.numbers(keyword)
    return int(number[0]) % _WORD if number else None


def _within(values: Pixels, low: int, high: int) -> PaddingMask:
    """Where the words of the values are from low to high."""
    words = values.astype(np.int64) % _WORD
    if low < 0:
        words = (words + _SIGN) % _WORD - _SIGN
    found: PaddingMask = (words >= low) & (words <= high)
    return found


def _is_contiguous(mask: PaddingMask) -> bool:
    neighbour = np.zeros_like(mask)
    for axis in (0, 1):
        one, other = np.swapaxes(neighbour, 0, axis), np.swapaxes(mask, 0, axis)
        one[1:] |= other[:-1]
        one[:-1] |= other[1:]
    count = int(np.count_nonzero(mask))
    contiguous = int(np.count_nonzero(mask & neighbour))
    return count > 0 and contiguous >= _MIN_CONTIGUOUS * count
