"""Elements that a DICOM mask must have: their values, or an error that names the element.

Source: DICOM PS3.3 A.51 (Segmentation), A.19 (RT Structure Set).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from rma_mamba.errors import ScanError

_PIXELS = {
    **dict.fromkeys(("Rows", "Columns"), "the size of the frames"),
    **dict.fromkeys(
        ("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored"),
        "how the voxels are stored",
    ),
    "PixelRepresentation": "how the voxels are stored",
    "PixelData": "the voxels of the frames",
}
_PURPOSES = {
    **_PIXELS,
    "PerFrameFunctionalGroupsSequence": "position and segment of each frame",
    "SegmentSequence": "a description of each segment",
    "SegmentNumber": "the number of each segment",
    "MaximumFractionalValue": "the value of a voxel that is wholly inside",
    **dict.fromkeys(
        ("SegmentIdentificationSequence", "ReferencedSegmentNumber"), "the segment of each frame"
    ),
    **dict.fromkeys(
        ("PlanePositionSequence", "ImagePositionPatient"),
        "the position of each frame in the patient",
    ),
    **dict.fromkeys(
        ("PlaneOrientationSequence", "ImageOrientationPatient"), "the orientation of each frame"
    ),
    **dict.fromkeys(("PixelMeasuresSequence", "PixelSpacing"), "the size of a pixel in mm"),
    "StructureSetROISequence": "number and name of each region of interest",
    "ROINumber": "the number of each region of interest",
    "ReferencedROINumber": "the region of interest to which each contour belongs",
    "ContourGeometricType": "the kind of each contour",
    "ContourData": "the points of each contour",
}


def check_pixel_elements(data: Dataset) -> None:
    """Check that all elements that describe the voxels are there.

    Raises:
        ScanError: One is missing.
    """
    for keyword in _PIXELS:
        required(data, keyword)


def check_present(data: Dataset, keyword: str) -> None:
    """Check that an element is there; it may be empty.

    Raises:
        ScanError: It is missing.
    """
    if keyword not in data:
        raise missing_element(keyword)


def required(data: Dataset, keyword: str) -> Any:
    """The value of an element.

    Raises:
        ScanError: It is missing or empty.
    """
    value = data.get(keyword)
    if value is None or (hasattr(value, "__len__") and len(value) == 0):
        raise missing_element(keyword)
    return value


def missing_element(keyword: str) -> ScanError:
    """The error for an element that a mask lacks."""
    purpose = _PURPOSES.get(keyword, "a complete Segmentation or RT Structure Set")
    return ScanError(
        f"the DICOM mask cannot be read: it has no {keyword}; expected {purpose}. "
        "Export it again from the program that made it."
    )


def required_number(data: Dataset, keyword: str) -> int:
    """The value of an element that is a whole number.

    Raises:
        ScanError: It is missing, or no number.
    """
    value = required(data, keyword)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise _invalid(keyword, 1) from None


def required_numbers(data: Dataset, keyword: str, count: int) -> npt.NDArray[np.float64]:
    """The value of an element that consists of finite numbers.

    Raises:
        ScanError: It is missing, or not that many numbers.
    """
    value = required(data, keyword)
    try:
        numbers = np.array(value, float)
    except (TypeError, ValueError):
        raise _invalid(keyword, count) from None
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise _invalid(keyword, count)
    return numbers


def _invalid(keyword: str, count: int) -> ScanError:
    return ScanError(
        f"the DICOM mask cannot be read: its {keyword} is not valid; expected {count} "
        f"number{'s' * (count > 1)}, {_PURPOSES[keyword]}. Export it again from the program that made it."
    )
