"""The grey values of DICOM slices: decoded, in HU or the scanner's unit, lean.

Source: DICOM PS3.3 C.11.1 (Modality LUT), C.7.6.3 (Image Pixel); PS3.5 section 8 and annex A (encodings).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
)

from rma_mamba.errors import ScanError
from rma_mamba.scans import jpeg_lossless
from rma_mamba.scans.dicom_image import DicomImage, check_inflated
from rma_mamba.scans.dtypes import compact_values

# Which of the installed libraries decodes what: the same one wherever others are installed as well.
_DECODERS = {
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit, *JPEG2000TransferSyntaxes), "pillow"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGLossless, JPEGLosslessSV1), "gdcm"),
}

INVERTED = "The slices are stored with dark and bright exchanged: they were inverted."


class DamagedPixelsError(ScanError):
    """The pixels of an image are missing, cut off or damaged."""


def check_encodings(images: Sequence[DicomImage]) -> None:
    """Every image is in an encoding that can be decoded here.

    Raises:
        ScanError: One is not.
    """
    for syntax, bits in sorted({(image.syntax, image.integer("BitsStored")) for image in images}):
        if not _can_decode(syntax, bits):
            raise ScanError(
                f"the slices are compressed as {_name(syntax)}, which cannot be decoded here; expected an "
                "encoding that can. Export the series uncompressed (Explicit VR Little Endian)."
            )


def slabs(images: Sequence[DicomImage], notes: dict[str, None]) -> Iterator[npt.NDArray[Any]]:
    """Rescaled values [column, row] of each image, decoded when it is asked for.

    Args:
        images: Slices of CT or MR.
        notes: Receives a sentence on everything that is repaired.

    Raises:
        DamagedPixelsError: An image cannot be decoded.
        ScanError: Its values cannot be told.
    """
    notes.update(dict.fromkeys(_unscaled(images)))
    reader = _Reader()
    for image in images:
        pixels = reader.pixels(image)
        # Only how it is shown: in CT the rescaled value is the HU all the same (PS3.3 C.7.6.3.1.2). MR has
        # no unit, and is taken as a screen shows it.
        inverted = image.text("PhotometricInterpretation") == "MONOCHROME1"
        if inverted and image.modality != "CT":
            notes[INVERTED] = None
            signed = image.integer("PixelRepresentation") == 1
            top = -1 if signed else 2 ** image.integer("BitsStored") - 1
            pixels = top - pixels.astype(np.int64)
        slab, repairs = compact_values(pixels.T[:, :, None], *_rescale(image))
        notes.update(dict.fromkeys(repairs))
        yield slab[:, :, 0]


def _unscaled(images: Sequence[DicomImage]) -> list[str]:
    lacking = sum(image.numbers("RescaleIntercept") is None for image in images)
    if lacking and images[0].modality == "CT":
        return [f"{lacking} slices have no rescale intercept: their values may not be HU."]
    return []


def _rescale(image: DicomImage) -> tuple[float, float]:
    (slope,) = image.numbers("RescaleSlope") or (1.0,)
    (intercept,) = image.numbers("RescaleIntercept") or (0.0,)
    if slope == 0 or (image.numbers("RescaleSlope") is None and image.text("RescaleSlope")):
        raise ScanError(
            "a slice has a RescaleSlope of 0, or one that is no sensible number; expected a number that keeps "
            "its values apart. Export the series again from its source."
        )
    return slope, intercept


def undecodable(images: Sequence[DicomImage]) -> list[DicomImage]:
    """The images whose pixels are missing, cut off or damaged; all are decoded to see it."""
    reader, found = _Reader(), []
    for image in images:
        try:
            reader.pixels(image)
        except DamagedPixelsError:
            found.append(image)
    return found


def digester() -> Callable[[DicomImage], bytes]:
    """A function that gives a hash of an image's stored pixels, to find copies.

    It raises DamagedPixelsError where an image cannot be decoded.
    """
    reader = _Reader()
    return lambda image: hashlib.sha256(reader.pixels(image).tobytes()).digest()


class _Reader:
    """Decodes images; a multi-frame file is read once for all of its frames in a row."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._dataset: pydicom.Dataset | None = None

    def pixels(self, image: DicomImage) -> npt.NDArray[Any]:
        """Stored values [row, column] of one image, in native byte order."""
        size = image.integer("Rows"), image.integer("Columns")
        try:
            dataset = self._read(image)
            index = None if image.frame is None else image.frame - 1
            if image.syntax in (JPEGLossless, JPEGLosslessSV1):
                _check_stream(dataset, index or 0, size)
            decoder = _DECODERS.get(image.syntax, "")
            pixels = pixel_array(dataset, index=index, decoding_plugin=decoder)
            if pixels.shape != size:
                raise ValueError
        except (MemoryError, OSError):
            raise
        except Exception as error:  # pydicom and its decoders raise exceptions of any type
            raise DamagedPixelsError(
                f"the pixel data of a slice are missing, cut off or damaged ({_name(image.syntax)}); expected "
                f"{size[0]} x {size[1]} grey values. Export or copy the whole series again."
            ) from error
        return pixels.astype(pixels.dtype.newbyteorder("="))

    def _read(self, image: DicomImage) -> pydicom.Dataset:
        if self._dataset is None or image.frame is None or self._name != image.entry.name:
            with image.entry.open() as stream:
                check_inflated(stream)
                self._dataset = pydicom.dcmread(stream, force=True)
            self._dataset.file_meta.TransferSyntaxUID = image.syntax
            self._name = image.entry.name
        return self._dataset


def _check_stream(dataset: pydicom.Dataset, index: int, size: tuple[int, int]) -> None:
    """Keep damaged streams from a decoder that does not survive them."""
    count = int(dataset.get("NumberOfFrames") or 1)
    stream = get_frame(dataset.PixelData, index, number_of_frames=count)
    jpeg_lossless.check(stream, size, dataset.BitsAllocated)


def _name(syntax: UID) -> str:
    """The encoding in words; damaged bytes are not shown."""
    return syntax.name if syntax.is_valid else "an unknown encoding"


def _can_decode(syntax: UID, bits_stored: int) -> bool:
    try:
        available = bool(get_decoder(syntax).is_available)
    except NotImplementedError:
        return False
    return available and not (syntax == JPEGExtended12Bit and bits_stored > 8)
