"""The header of a DICOM image: the elements that are read, with tolerant access to their values.

Source: DICOM PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (Multi-frame Functional Groups).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pydicom
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from rma_mamba.scans.input_files import InputFile
from rma_mamba.scans.slice_planes import Plane

# Elements that identify and describe slices, define their geometry, and distinguish the volumes of one series.
# PatientID is the only patient element: it separates patients who share a folder, and is never displayed.
TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "SeriesDescription",
    "ProtocolName",
    "ConvolutionKernel",
    "ContrastBolusAgent",
    "InstanceNumber",
    "Modality",
    "ImageType",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
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
    "NominalPercentageOfCardiacPhase",
    "AcquisitionNumber",
    "AcquisitionTime",
    "ContentTime",
]
FUNCTIONAL_GROUPS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]

# Elements of the image plane, with the number of their values.
PLANE_ELEMENTS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}

# Larger than any valid number in these elements, in any unit. NaN and infinity are rejected as well.
_MAX_NUMBER = 1e9

# Modalities of objects with a pixel grid that are derived from a scan.
DERIVED_OBJECTS = ("SEG", "RTDOSE")

SECONDARY_CAPTURE = str(SecondaryCaptureImageStorage)

_MODALITY_OF_CLASS = {
    CTImageStorage: "CT",
    MRImageStorage: "MR",
    EnhancedCTImageStorage: "CT",
    EnhancedMRImageStorage: "MR",
}


@dataclass(frozen=True)
class DicomImage:
    """A DICOM file, or one frame of a multi-frame file, with the header elements listed above.

    Args:
        file: The file.
        header: The elements, including those of its functional groups for a frame.
        syntax: Transfer syntax of the pixel data.
        frame: Frame number, counted from 1; None for a single-frame file.
    """

    file: InputFile
    header: pydicom.Dataset
    syntax: UID
    frame: int | None = None

    def value(self, keyword: str) -> Any:
        """The value of an element as decoded by pydicom; None if it is missing or cannot be decoded."""
        try:
            return self.header.get(keyword)
        except (
            Exception
        ):  # values are decoded on access, and corrupt bytes raise exceptions of any type
            return None

    def text(self, keyword: str) -> str:
        """The value of a text element; "" if it is missing."""
        return str(self.value(keyword) or "").strip()

    def texts(self, keyword: str) -> str:
        """The values of a text element of several values, separated by spaces; "" if it is missing."""
        value = self.value(keyword) or ""
        parts = [value] if isinstance(value, str) else value
        return " ".join(str(part).strip() for part in parts)

    def numbers(self, keyword: str, count: int = 1) -> tuple[float, ...] | None:
        """`count` finite numbers; None if the element does not contain exactly that many."""
        try:
            value = self.value(keyword)
            values = tuple(float(part) for part in (value if count > 1 else [value]))
        except (TypeError, ValueError, OverflowError):
            return None
        valid = len(values) == count and all(abs(number) < _MAX_NUMBER for number in values)
        return values if valid else None

    def integer(self, keyword: str) -> int:
        """An integer; 0 if the element is missing or invalid."""
        number = self.numbers(keyword)
        return int(number[0]) if number else 0

    @property
    def modality(self) -> str:
        """Modality, else derived from the SOP class, else ""."""
        return self.text("Modality") or _MODALITY_OF_CLASS.get(UID(self.text("SOPClassUID")), "")

    @property
    def image_type(self) -> tuple[str, ...]:
        """FrameType of a frame, else ImageType, in upper case."""
        value = self.value("FrameType") or self.value("ImageType") or ()
        parts = [value] if isinstance(value, str) else value
        return tuple(str(part).strip().upper() for part in parts)

    @property
    def position(self) -> tuple[float, ...] | None:
        """ImagePositionPatient."""
        return self.numbers("ImagePositionPatient", 3)

    @property
    def has_pixels(self) -> bool:
        """Whether the header defines the size of an image."""
        return self.integer("Rows") > 0 and self.integer("Columns") > 0

    @property
    def is_multi_frame(self) -> bool:
        """Whether it is an enhanced object with per-frame functional groups."""
        return FUNCTIONAL_GROUPS[1] in self.header

    @property
    def is_non_image(self) -> bool:
        """Whether it is an object that has no pixels by design: a report, a plan, raw data.

        A slice truncated within its header is not one of these; otherwise it would be skipped silently.
        """
        modality, sop_class = self.text("Modality"), self.text("SOPClassUID")
        slice_like = sop_class in _MODALITY_OF_CLASS or (not sop_class and modality in ("CT", "MR"))
        return modality != "" and not slice_like

    @property
    def is_localizer(self) -> bool:
        """Whether it is a localizer (scout, topogram)."""
        return any("LOCALIZER" in part or part == "SCOUT" for part in self.image_type)

    @property
    def is_slice(self) -> bool:
        """Whether it is a slice of a scan, not a localizer, screenshot, segmentation or dose."""
        positioned = "ImagePositionPatient" in self.header
        screenshot = self.text("SOPClassUID") == SecondaryCaptureImageStorage and not positioned
        scan = self.modality in ("CT", "MR", "") or positioned
        other = screenshot or self.is_localizer or self.modality in DERIVED_OBJECTS
        return self.has_pixels and scan and not other

    @property
    def plane(self) -> Plane:
        """Geometry of the slice; the caller must have checked that the elements exist."""
        elements = [self.numbers(keyword, count) for keyword, count in PLANE_ELEMENTS.items()]
        position, directions, spacing = cast("list[tuple[float, ...]]", elements)
        size = self.integer("Rows"), self.integer("Columns")
        candidates = [self.numbers(word) for word in ("SpacingBetweenSlices", "SliceThickness")]
        thickness = next((number[0] for number in candidates if number and number[0] > 0), None)
        return Plane(position, directions, spacing, size, thickness)
