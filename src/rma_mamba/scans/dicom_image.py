"""What a DICOM file or frame says of itself, but for its pixels: read with care, and without the patient.

Source: DICOM PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (Multi-frame Functional Groups); PS3.10 (file format).
"""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pydicom
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from rma_mamba.scans.input_files import InputFile
from rma_mamba.scans.slice_grid import Plane

# Elements that tell slices from the rest, place them, and tell the volumes of one series apart. Of the
# patient only the identifier, which two patients in one folder do not share; it is never shown.
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "SeriesDescription",
    "InstanceNumber",
    "Modality",
    "ImageType",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RescaleSlope",
    "RescaleIntercept",
    "EchoTime",
    "EchoNumbers",
    "InversionTime",
    "FlipAngle",
    "TemporalPositionIdentifier",
    "DiffusionBValue",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionTime",
]
_GROUPS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]

# A file without the 128-byte preamble begins with an element of group 0002 or 0008.
FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")

PLACE = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}

# No number that is read here comes near it, in whatever unit; NaN and infinity do not stay below it.
_LARGEST = 1e9

# They have pixels on a grid, but are made from a scan.
MADE = ("SEG", "RTDOSE")

_MODALITY_OF_CLASS = {
    CTImageStorage: "CT",
    MRImageStorage: "MR",
    EnhancedCTImageStorage: "CT",
    EnhancedMRImageStorage: "MR",
}

# More than the largest multi-frame object: a deflated file that unpacks to more is a bomb.
_MAX_INFLATED_BYTES = 2**31
_CHUNK_BYTES = 2**22

# The file's meta information: the element that says how long it is stands first (PS3.10 section 7.1).
_META_BYTES = 2048
_META_LENGTH = b"\x02\0\0\0UL\x04\0"
_DEFLATED = DeflatedExplicitVRLittleEndian.encode()


@dataclass(frozen=True)
class DicomImage:
    """A DICOM file, or a frame of one, by the few elements of it that are named above.

    Args:
        entry: The file.
        header: The elements; of a frame those of its functional groups too, as if it had a file of its own.
        syntax: The encoding of the pixels.
        frame: The frame's number, from 1; None for a file as a whole.
    """

    entry: InputFile
    header: pydicom.Dataset
    syntax: UID
    frame: int | None = None

    def value(self, keyword: str) -> Any:
        """An element as pydicom decodes it, None where it is missing or cannot be decoded."""
        try:
            return self.header.get(keyword)
        except Exception:  # decoding is lazy, and damaged bytes raise exceptions of any type
            return None

    def text(self, keyword: str) -> str:
        """A text element, "" where it is missing."""
        return str(self.value(keyword) or "").strip()

    def numbers(self, keyword: str, count: int = 1) -> tuple[float, ...] | None:
        """`count` numbers of a sensible size, or None where the element has no such content."""
        try:
            value = self.value(keyword)
            values = tuple(float(part) for part in (value if count > 1 else [value]))
        except (TypeError, ValueError, OverflowError):
            return None
        good = len(values) == count and all(abs(number) < _LARGEST for number in values)
        return values if good else None

    def integer(self, keyword: str) -> int:
        """A whole number, 0 where it is missing."""
        number = self.numbers(keyword)
        return int(number[0]) if number else 0

    @property
    def modality(self) -> str:
        """Modality, else what the SOP class says, else ""."""
        return self.text("Modality") or _MODALITY_OF_CLASS.get(UID(self.text("SOPClassUID")), "")

    @property
    def image_type(self) -> tuple[str, ...]:
        """ImageType, of a frame its FrameType, in capitals."""
        value = self.value("FrameType") or self.value("ImageType") or ()
        parts = [value] if isinstance(value, str) else value
        return tuple(str(part).strip().upper() for part in parts)

    @property
    def place(self) -> tuple[float, ...] | None:
        """ImagePositionPatient."""
        return self.numbers("ImagePositionPatient", 3)

    @property
    def has_pixels(self) -> bool:
        """Whether the file gives the size of an image."""
        return self.integer("Rows") > 0 and self.integer("Columns") > 0

    @property
    def has_groups(self) -> bool:
        """Whether it is an enhanced object, whose frames have elements of their own."""
        return _GROUPS[1] in self.header

    @property
    def is_no_image(self) -> bool:
        """Whether it is no fault that the file holds no image: a report, a plan, raw data.

        A slice cut off within its header must not pass for one of these: the volume would lose it.
        """
        modality, sop_class = self.text("Modality"), self.text("SOPClassUID")
        slice_like = sop_class in _MODALITY_OF_CLASS or (not sop_class and modality in ("CT", "MR"))
        return modality != "" and not slice_like

    @property
    def is_localizer(self) -> bool:
        """Whether it is an overview on which the scan was planned."""
        return any("LOCALIZER" in part or part == "SCOUT" for part in self.image_type)

    @property
    def is_slice(self) -> bool:
        """Whether this is an image of the patient that belongs to a scan, not to what lies beside it."""
        placed = "ImagePositionPatient" in self.header
        picture = self.text("SOPClassUID") == SecondaryCaptureImageStorage and not placed
        scan = self.modality in ("CT", "MR", "") or placed
        other = picture or self.is_localizer or self.modality in MADE
        return self.has_pixels and scan and not other

    @property
    def plane(self) -> Plane:
        """Where the slice lies; its elements have been checked to exist."""
        place = [self.numbers(keyword, count) for keyword, count in PLACE.items()]
        position, directions, spacing = cast("list[tuple[float, ...]]", place)
        size = self.integer("Rows"), self.integer("Columns")
        given = [self.numbers(keyword) for keyword in ("SpacingBetweenSlices", "SliceThickness")]
        thickness = next((number[0] for number in given if number and number[0] > 0), None)
        return Plane(position, directions, spacing, size, thickness)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's remarks from the user: they quote elements, patient's names included."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


def claims_dicom(head: bytes) -> tuple[bool, bool]:
    """From a file's first 132 bytes: whether it says that it is DICOM, and whether it may be."""
    claims = head[128:132] == b"DICM"
    return claims, claims or head[:2] in FIRST_GROUPS


def open_image(entry: InputFile) -> tuple[DicomImage | None, bool]:
    """The file's header if it is readable DICOM, and whether it claims to be DICOM at all."""
    with entry.open() as stream:
        claims, possible = claims_dicom(stream.read(132))
        if not possible:
            return None, False
        stream.seek(0)
        try:
            return _parsed(entry, stream, claims)
        except (MemoryError, OSError):
            raise
        except Exception:  # pydicom meets damaged bytes with exceptions of any type
            return None, claims


def _parsed(entry: InputFile, stream: Any, claims: bool) -> tuple[DicomImage | None, bool]:
    check_inflated(stream)
    tags: list[Any] = [*_TAGS, *_GROUPS]
    header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=tags)
    meta = header.get("file_meta", {})
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None, False
    image = DicomImage(entry, header, _transfer_syntax(header))
    # of a deflated file the stream has been read to its end, and the pixels are somewhere else
    ends = image.syntax != DeflatedExplicitVRLittleEndian and not stream.read(1)
    whole = image.has_pixels and not (ends and image.is_slice)
    readable = whole or (claims and image.is_no_image)
    return (image if readable else None), claims or image.is_slice


def check_inflated(stream: Any) -> None:
    """Refuse a deflated file that unpacks to more than any scan; the stream is at its start again.

    Raises:
        ValueError: It does, or does not say where its deflated part starts.
    """
    head = stream.read(_META_BYTES)
    stream.seek(0)
    if head[128:132] != b"DICM" or _DEFLATED not in head:
        return
    if not head[132:].startswith(_META_LENGTH):
        raise ValueError
    stream.seek(144 + int.from_bytes(head[140:144], "little"))
    unpacked, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while rest := unpacked.unconsumed_tail or stream.read(_CHUNK_BYTES):
        size += len(unpacked.decompress(rest, _CHUNK_BYTES))
        if size > _MAX_INFLATED_BYTES:
            raise ValueError
    stream.seek(0)


def frames_of(image: DicomImage) -> list[DicomImage]:
    """The frames of an enhanced object as slices of their own; any other file as it is.

    Raises:
        ValueError: The number of frames is not that of the frames that are described.
    """
    if not image.has_groups:
        return [image]
    shared, each = (image.header.get(keyword) or [] for keyword in _GROUPS)
    if len(each) != image.integer("NumberOfFrames"):
        raise ValueError
    common = pydicom.Dataset()
    for element in image.header:
        if element.keyword not in _GROUPS:
            common.add(element)
    for group in shared:
        _flatten(group, common)
    found = []
    for number, group in enumerate(each, start=1):
        header = pydicom.Dataset()
        header.update(common)
        _flatten(group, header)
        found.append(DicomImage(image.entry, header, image.syntax, number))
    return found


def _flatten(group: pydicom.Dataset, header: pydicom.Dataset) -> None:
    """Add the elements of a frame's functional groups to its header."""
    for element in group:
        for item in (element.value or []) if element.VR == "SQ" else []:
            header.update({inner.tag: inner for inner in item if inner.VR != "SQ"})


def _transfer_syntax(dataset: pydicom.Dataset) -> UID:
    """The encoding that the file names; a file without a name for it is uncompressed."""
    syntax = dataset.get("file_meta", {}).get("TransferSyntaxUID")
    if syntax:
        return UID(str(syntax))
    implicit, _ = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
