"""The elements that describe how pixels are stored, completed or checked before pixels are decoded.

Anonymisation and conversion remove or break single elements of a series. Where one value only makes sense, it is
taken, with a warning; else the error names the element, because the pixels themselves are intact.

Source: DICOM PS3.3 C.7.6.3 (Image Pixel Module).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom

from rma_mamba.errors import ScanError
from rma_mamba.scans.dicom_image import DicomImage

_ALLOCATED = (8, 16, 32)

# Each element with the values that can be read.
_VALID: dict[str, tuple[Callable[[Any], bool], str]] = {
    "SamplesPerPixel": (lambda value: value == 1, "1"),
    "PhotometricInterpretation": (
        lambda value: value in ("MONOCHROME1", "MONOCHROME2"),
        "MONOCHROME1 or MONOCHROME2",
    ),
    "BitsAllocated": (lambda value: value in _ALLOCATED, "8, 16 or 32"),
    "BitsStored": (lambda value: 1 <= value <= max(_ALLOCATED), "1 to BitsAllocated"),
    "PixelRepresentation": (lambda value: value in (0, 1), "0 (unsigned) or 1 (signed)"),
}
_DEFAULTS = {
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelRepresentation": 0,
}
_ASSUMED = {
    "BitsAllocated": "the size of the pixel data",
    "BitsStored": "BitsAllocated",
}


class PixelModule:
    """The pixel elements of the slices of one scan."""

    def __init__(self, images: Sequence[DicomImage]) -> None:
        self._count = len(images)
        self._lacking: dict[str, int] = {}
        self._common: dict[str, Any] = {}
        for keyword in _VALID:
            values = [_value(image, keyword) for image in images]
            found = {value for value in values if value is not None}
            self._common[keyword] = found.pop() if len(found) == 1 else None
            if None in values:
                self._lacking[keyword] = values.count(None)
                self._check(keyword, images, values)

    @property
    def warnings(self) -> list[str]:
        """One for each element that slices lack, including what is assumed."""
        return [
            f"{keyword} is missing in {count} of {self._count} slices: {self._assumed(keyword)} was assumed."
            for keyword, count in self._lacking.items()
        ]

    def value(self, image: DicomImage, keyword: str) -> Any:
        """The value of an element of one slice, else that of all others, else the default; None if there is none."""
        own, common = _value(image, keyword), self._common[keyword]
        return own if own is not None else _DEFAULTS.get(keyword) if common is None else common

    def complete(self, dataset: pydicom.Dataset, image: DicomImage) -> None:
        """Add to a dataset that is to be decoded the elements that it lacks."""
        for keyword in _VALID:
            setattr(dataset, keyword, self.value(image, keyword))
        if dataset.BitsAllocated is None:
            dataset.BitsAllocated = _bits_in_pixel_data(dataset)
        if dataset.BitsStored is None:
            dataset.BitsStored = _bits_up_to_high_bit(dataset)
        if dataset.BitsStored > dataset.BitsAllocated:
            raise _invalid("BitsStored", 1, self._count, "no more than BitsAllocated")
        if image.frame is not None and not dataset.get("NumberOfFrames"):
            dataset.NumberOfFrames = len(dataset.PerFrameFunctionalGroupsSequence)

    def check_sign(self, image: DicomImage, stored: npt.NDArray[Any], bits: int) -> None:
        """Check that the pixels are the same numbers, signed or unsigned, if PixelRepresentation is unknown.

        Raises:
            ScanError: They are not.
        """
        keyword = "PixelRepresentation"
        known = _value(image, keyword) is not None or self._common[keyword] is not None
        if not known and stored.size and int(np.max(stored)) >= 2 ** (bits - 1):
            expected = "0 (unsigned) or 1 (signed), because the values depend on it"
            raise _invalid(keyword, self._lacking[keyword], self._count, expected)

    def _assumed(self, keyword: str) -> str:
        common = self._common[keyword]
        assumed = {**_ASSUMED, **_DEFAULTS}[keyword] if common is None else common
        return str(assumed)

    def _check(self, keyword: str, images: Sequence[DicomImage], values: list[Any]) -> None:
        """Check that an element is absent, not invalid, or that the other slices agree on it."""
        invalid = sum(
            value is None and image.value(keyword) not in (None, "")
            for image, value in zip(images, values, strict=True)
        )
        if self._common[keyword] is None and (invalid or len(set(values)) > 1):
            raise _invalid(keyword, values.count(None), len(images), _VALID[keyword][1])


def _value(image: DicomImage, keyword: str) -> Any:
    """The value of an element; None if it is missing or invalid."""
    valid, _ = _VALID[keyword]
    if keyword == "PhotometricInterpretation":
        value: Any = image.text(keyword).upper()
    else:
        number = image.numbers(keyword)
        value = int(number[0]) if number else -1
    return value if valid(value) else None


def _bits_in_pixel_data(dataset: pydicom.Dataset) -> int:
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return 8 if (dataset.BitsStored or 16) <= 8 else 16
    pixels = dataset.Rows * dataset.Columns * int(dataset.get("NumberOfFrames") or 1)
    return 8 * max(
        size for size in (1, 2, 4) if size == 1 or size * pixels <= len(dataset.PixelData)
    )


def _bits_up_to_high_bit(dataset: pydicom.Dataset) -> int:
    high = dataset.get("HighBit")
    allocated: int = dataset.BitsAllocated
    return high + 1 if isinstance(high, int) and 0 < high < allocated else allocated


def _invalid(keyword: str, count: int, total: int, expected: str) -> ScanError:
    return ScanError(
        f"{keyword} is missing or invalid in {count} of {total} slices; expected {expected}. "
        "Export the series again from the source system."
    )
