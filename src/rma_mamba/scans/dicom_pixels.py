"""Decode the pixel data of DICOM slices and rescale them to HU or scanner units, in compact data types.

Source: DICOM PS3.3 C.11.1 (Modality LUT), C.7.6.3 (Image Pixel); PS3.5 section 8 and annex A (transfer syntaxes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import features
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
)

from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_gdcm, jpeg_lossless
from rma_mamba.scans.dicom_image import DicomImage
from rma_mamba.scans.dicom_padding import fill_padding, padding_mask
from rma_mamba.scans.dicom_parsing import check_deflated_size
from rma_mamba.scans.dicom_pixel_module import PixelModule
from rma_mamba.scans.dtypes import compact_values

# OpenJPEG, the library within Pillow, reads high-throughput streams like others since version 2.5; pydicom does not
# know that.
_HIGH_THROUGHPUT = {
    HTJ2KLossless: JPEG2000Lossless,
    HTJ2KLosslessRPCL: JPEG2000Lossless,
    HTJ2K: JPEG2000,
}
_MIN_OPENJPEG = (2, 5)

# One fixed decoder per transfer syntax, so that results do not depend on what else is installed.
_DECODERS = {
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit, *JPEG2000TransferSyntaxes), "pillow"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys((JPEGLossless, JPEGLosslessSV1), dicom_gdcm.PLUGIN),
}
dicom_gdcm.register()

INVERTED = "The slices are stored with inverted grey levels (MONOCHROME1): they were inverted."


class CorruptPixelsError(ScanError):
    """The pixel data of an image are missing, truncated or corrupt."""


def check_transfer_syntaxes(images: Sequence[DicomImage]) -> None:
    """Check that all images can be decoded with the installed libraries.

    Raises:
        ScanError: A transfer syntax is not supported.
    """
    for syntax, bits in sorted(
        {(image.syntax, image.integer("BitsStored") or 16) for image in images}
    ):
        if not _can_decode(syntax, bits):
            raise ScanError(
                f"the slices are compressed as {_name(syntax)}, which is not supported; expected a supported "
                "transfer syntax. Export the series uncompressed (Explicit VR Little Endian)."
            )


def rescaled_slices(
    images: Sequence[DicomImage], warnings: dict[str, None]
) -> Iterator[npt.NDArray[Any]]:
    """Rescaled values [column, row] of each image, decoded one after the other.

    Args:
        images: CT or MR slices.
        warnings: Receives a warning for every correction.

    Raises:
        CorruptPixelsError: An image cannot be decoded.
        ScanError: The rescale slope is invalid.
    """
    warnings.update(dict.fromkeys(_missing_intercept_warning(images)))
    module = PixelModule(images)
    warnings.update(dict.fromkeys(module.warnings))
    decoder = _Decoder(module)
    for image in images:
        decoded, rescale = decoder.pixels(image), _rescale(image)
        pixels = decoded.stored
        padding = padding_mask(image, pixels, decoded.words)
        intact = pixels if padding is None else pixels[~padding]
        module.check_sign(image, intact, decoded.bits_stored)
        # MONOCHROME1 only affects display: in CT the rescaled values are HU nonetheless (PS3.3 C.7.6.3.1.2).
        # MR intensities have no unit and are read as they would be displayed.
        inverted = module.value(image, "PhotometricInterpretation") == "MONOCHROME1"
        if inverted and image.modality != "CT":
            warnings[INVERTED] = None
            top = -1 if pixels.dtype.kind == "i" else 2**decoded.bits_stored - 1
            pixels = top - pixels.astype(np.int64)
        if padding is not None:
            pixels = fill_padding(image, pixels, padding, rescale)
        values, repairs = compact_values(pixels.T[:, :, None], *rescale)
        warnings.update(dict.fromkeys(repairs))
        yield values[:, :, 0]


def _missing_intercept_warning(images: Sequence[DicomImage]) -> list[str]:
    missing = sum(image.numbers("RescaleIntercept") is None for image in images)
    if missing and images[0].modality == "CT":
        slices = "slice has" if missing == 1 else "slices have"
        return [f"{missing} {slices} no rescale intercept: the values may not be HU."]
    return []


def _rescale(image: DicomImage) -> tuple[float, float]:
    (slope,) = image.numbers("RescaleSlope") or (1.0,)
    (intercept,) = image.numbers("RescaleIntercept") or (0.0,)
    if slope == 0 or (image.numbers("RescaleSlope") is None and image.text("RescaleSlope")):
        raise ScanError(
            "RescaleSlope of a slice is 0 or invalid; expected a finite number other than 0. "
            "Export the series again from the source system."
        )
    return slope, intercept


def undecodable(images: Sequence[DicomImage]) -> list[DicomImage]:
    """The images whose pixel data are missing, truncated or corrupt; all images are decoded to find them."""
    decoder, corrupt = _Decoder(PixelModule(images)), []
    for image in images:
        try:
            decoder.pixels(image)
        except CorruptPixelsError:
            corrupt.append(image)
    return corrupt


def pixel_hasher(images: Sequence[DicomImage]) -> Callable[[DicomImage], bytes]:
    """A function that computes a hash of the stored pixels of one of the images, to find duplicates.

    It raises CorruptPixelsError if the image cannot be decoded.
    """
    decoder = _Decoder(PixelModule(images))
    return lambda image: hashlib.sha256(decoder.pixels(image).stored.tobytes()).digest()


@dataclass(frozen=True, eq=False)
class _Decoded:
    """The pixels of one image [row, column], in native byte order.

    Args:
        stored: Stored values.
        words: The same, including the bits above BitsStored.
        bits_stored: Number of bits of a stored value.
    """

    stored: npt.NDArray[Any]
    words: npt.NDArray[Any]
    bits_stored: int


class _Decoder:
    """Decodes images; for consecutive frames a multi-frame file is read only once."""

    def __init__(self, module: PixelModule) -> None:
        self._module = module
        self._name: str | None = None
        self._dataset: pydicom.Dataset | None = None

    def pixels(self, image: DicomImage) -> _Decoded:
        """Decode one image.

        Raises:
            CorruptPixelsError: The pixel data are missing, truncated or corrupt.
        """
        size = image.integer("Rows"), image.integer("Columns")
        try:
            dataset = self._read(image)
            self._module.complete(dataset, image)
            index = None if image.frame is None else image.frame - 1
            if image.syntax in (JPEGLossless, JPEGLosslessSV1):
                _check_jpeg_lossless(dataset, index or 0, size)
            syntax = dataset.file_meta.TransferSyntaxUID
            plugin = _DECODERS.get(syntax, "")
            words = pixel_array(
                dataset, index=index, decoding_plugin=plugin, correct_unused_bits=False
            )
            if words.shape != size:
                raise ValueError
        except (MemoryError, OSError, ScanError):
            raise
        except Exception as error:  # pydicom and its decoders raise exceptions of any type
            raise CorruptPixelsError(
                f"the pixel data of a slice are missing, truncated or corrupt ({_name(image.syntax)}); expected "
                f"{size[0]} x {size[1]} grey levels. Export or copy the whole series again."
            ) from error
        words = words.astype(words.dtype.newbyteorder("="))
        # JPEG 2000 and signed JPEG-LS streams have a precision of their own, which pydicom has applied.
        applied = image.syntax in JPEG2000TransferSyntaxes or (
            image.syntax in JPEGLSTransferSyntaxes and dataset.PixelRepresentation == 1
        )
        unused = 0 if applied else max(0, 8 * words.dtype.itemsize - dataset.BitsStored)
        return _Decoded((words << unused) >> unused, words, dataset.BitsStored)

    def _read(self, image: DicomImage) -> pydicom.Dataset:
        if self._dataset is None or image.frame is None or self._name != image.file.name:
            with image.file.open() as stream:
                check_deflated_size(stream)
                self._dataset = pydicom.dcmread(stream, force=True)
            syntax = _HIGH_THROUGHPUT.get(image.syntax, image.syntax)
            self._dataset.file_meta.TransferSyntaxUID = syntax
            self._name = image.file.name
        return self._dataset


def _check_jpeg_lossless(dataset: pydicom.Dataset, index: int, size: tuple[int, int]) -> None:
    """Check a stream before it is decoded: GDCM aborts the process on some corrupt streams."""
    count = int(dataset.get("NumberOfFrames") or 1)
    stream = get_frame(dataset.PixelData, index, number_of_frames=count)
    jpeg_lossless.check(stream, size, dataset.BitsAllocated)


def _name(syntax: UID) -> str:
    """Name of a transfer syntax, without quoting corrupt bytes."""
    return syntax.name if syntax.is_valid else "an unknown transfer syntax"


def _can_decode(syntax: UID, bits_stored: int) -> bool:
    if syntax in _HIGH_THROUGHPUT and not _reads_high_throughput():
        return False
    try:
        available = bool(get_decoder(_HIGH_THROUGHPUT.get(syntax, syntax)).is_available)
    except NotImplementedError:
        return False
    return available and not (syntax == JPEGExtended12Bit and bits_stored > 8)


def _reads_high_throughput() -> bool:
    """Whether Pillow contains a version of OpenJPEG that reads High-Throughput JPEG 2000."""
    version = features.version_codec("jpg_2000") or "0"
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) >= _MIN_OPENJPEG
