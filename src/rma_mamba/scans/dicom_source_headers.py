"""Headers of the source images of a mask, completed as required by the DICOM objects derived from them.

A derived object copies the patient and study, references its images by UID, and shares their frame of reference.
Missing elements that may be empty are added without a value; any other missing element is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
from highdicom.enum import PatientSexValues, SpecificCharacterSetValues
from pydicom.uid import CTImageStorage, MRImageStorage, generate_uid
from pydicom.valuerep import DA, TM, PersonName, format_number_as_ds

from rma_mamba.errors import ScanError
from rma_mamba.scans.dicom_parsing import pydicom_messages_suppressed
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

# Elements that may be empty but not missing (type 2).
_TYPE_2 = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "PositionReferenceIndicator"),
)

# Elements without which an image cannot be referenced.
_REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")

# What identifies a patient and a study, with the labels of a report.
_IDENTITY = {
    "Patient": "PatientName",
    "Patient ID": "PatientID",
    "Accession number": "AccessionNumber",
}

# Rounding errors add up from slice to slice: 0.000006 mm after 600 slices.
_SPACING_DECIMALS = 8

_SOP_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}

_VALIDATORS: dict[str, Any] = {
    "PatientBirthDate": DA,
    "StudyDate": DA,
    "StudyTime": TM,
    "PatientSex": PatientSexValues,
}


def source_headers(mask: Mask, images: SourceImages) -> list[pydicom.Dataset]:
    """The completed header of each image along k; frames of one object share one header.

    Raises:
        ScanError: A required element is missing.
        OSError: A file has been removed.
    """
    headers: dict[str, pydicom.Dataset] = {}
    for image in images.slices:
        if image.instance_uid not in headers:
            with image.open() as stream:
                headers[image.instance_uid] = pydicom.dcmread(
                    stream, stop_before_pixels=True, force=True
                )
            _complete(headers[image.instance_uid], mask, image.frame)
    per_slice = [headers[image.instance_uid] for image in images.slices]
    if len(unique(per_slice)) < len(per_slice) and images.slices[0].frame is None:
        raise _missing("unique SOPInstanceUID")
    for header in per_slice:
        if not header.get("FrameOfReferenceUID"):
            # the same UID for all objects derived from this series, which share its coordinates
            source = str(per_slice[0].SeriesInstanceUID)
            header.FrameOfReferenceUID = generate_uid(entropy_srcs=[source])
        # Differences between slices are rounding errors; the reader rejects larger ones.
        if "ImageOrientationPatient" in header:
            header.ImageOrientationPatient = per_slice[0].ImageOrientationPatient
    return per_slice


def patient_identity(images: SourceImages) -> tuple[tuple[str, str], ...]:
    """Name and ID of the patient, and accession number of the study, as names and values for a report.

    Raises:
        ScanError: The file of the scan cannot be opened again.
    """
    try:
        with images.slices[0].open() as stream, pydicom_messages_suppressed():
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
            return tuple(
                (label, _plain_text(header, keyword)) for label, keyword in _IDENTITY.items()
            )
    except OSError as error:
        raise ScanError(
            f"a file of the scan cannot be opened again ({error.strerror or 'input/output error'}); expected it to be "
            "in place, because the report repeats the patient's name. Keep the files until the report is written."
        ) from error


def patient_and_frame(images: SourceImages) -> tuple[str, str]:
    """Patient ID and frame of reference of a scan, each "" if its header does not state it."""
    patient, frame = _stated(images, "PatientID", "FrameOfReferenceUID")
    return patient, frame


def patient_id_and_name(images: SourceImages) -> tuple[str, str]:
    """ID and name of the patient, each "" if the header does not state it."""
    identity, name = _stated(images, "PatientID", "PatientName")
    return identity, name


def _stated(images: SourceImages, *keywords: str) -> Iterator[str]:
    with images.slices[0].open() as file, pydicom_messages_suppressed():
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        yield from [_text(header, keyword) for keyword in keywords]


def _plain_text(header: pydicom.Dataset, keyword: str) -> str:
    """The value of an element as a report states it."""
    return _text(header, keyword) or "not stated"


def _text(header: pydicom.Dataset, keyword: str) -> str:
    """The value of an element on one line, "" without one; of a name the alphabetic form, as "Doe, John"."""
    try:
        value = header.get(keyword)
        if isinstance(value, PersonName):
            value = value.alphabetic or str(value)
            value = value.strip("^ ").replace("^", ", ", 1).replace("^", " ")
        return " ".join(str(value or "").split())
    except (
        Exception
    ):  # values are decoded on access, and corrupt bytes raise exceptions of any type
        return ""


def unique(headers: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """Each header once, in order."""
    return list({id(header): header for header in headers}.values())


def slice_spacing_mm(mask: Mask) -> float:
    """Distance between adjacent slices along their normal, in mm."""
    column, row, step = mask.geometry.affine[:3, :3].T
    normal = np.cross(column, row)
    return abs(float(step @ normal)) / float(np.linalg.norm(normal))


def _complete(header: pydicom.Dataset, mask: Mask, frame: int | None) -> None:
    for keyword in _REQUIRED:
        if not header.get(keyword):
            raise _missing(keyword)
    for keyword in _TYPE_2:
        if keyword not in header:
            setattr(header, keyword, None)
    _clear_invalid_values(header)
    _replace_unknown_character_set(header)
    if not header.get("SOPClassUID"):
        header.SOPClassUID = _SOP_CLASSES.get(str(header.get("Modality")), CTImageStorage)
    if frame is not None:
        _share_frame_geometry(header, header.PerFrameFunctionalGroupsSequence[frame - 1])
    for measures in _pixel_measures(header, frame):
        _correct_slice_distances(measures, slice_spacing_mm(mask))


def _pixel_measures(header: pydicom.Dataset, frame: int | None) -> list[pydicom.Dataset]:
    """The datasets from which highdicom takes spacing and thickness of the slices."""
    if frame is None:
        return [header]
    return list(header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence)


def _correct_slice_distances(measures: pydicom.Dataset, spacing_mm: float) -> None:
    """Replace SpacingBetweenSlices by the distance of the positions along the normal, and a useless SliceThickness.

    The value in the header may be missing, zero, negative, or that of another reconstruction, and readers that place
    frames on a regular grid (dcmqi, 3D Slicer) use it, or else the thickness, whatever the positions are.
    """
    distance = format_number_as_ds(round(spacing_mm, _SPACING_DECIMALS))
    measures.SpacingBetweenSlices = distance
    try:
        valid = 0 < float(measures.SliceThickness) < math.inf
    except (AttributeError, TypeError, ValueError):  # missing, empty, or no number
        valid = False
    if not valid:
        measures.SliceThickness = distance


def _share_frame_geometry(header: pydicom.Dataset, group: pydicom.Dataset) -> None:
    """Copy orientation and spacing of a frame to the shared functional groups, where highdicom expects them.

    All frames that were read have the same orientation and spacing.
    """
    if not header.get("SharedFunctionalGroupsSequence"):
        header.SharedFunctionalGroupsSequence = [pydicom.Dataset()]
    shared = header.SharedFunctionalGroupsSequence[0]
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if keyword not in shared and keyword in group:
            setattr(shared, keyword, group[keyword].value)


def _clear_invalid_values(header: pydicom.Dataset) -> None:
    """Empty invalid dates, times and sex, which highdicom would reject."""
    for keyword, validate in _VALIDATORS.items():
        try:
            value = header.get(keyword)
            if value:
                validate(str(value))
        except Exception:
            setattr(header, keyword, None)


def _replace_unknown_character_set(header: pydicom.Dataset) -> None:
    """Use UTF-8 if the header names a character set that highdicom does not accept."""
    names = header.get("SpecificCharacterSet")
    if not names:
        header.pop("SpecificCharacterSet", None)
        return
    try:
        for name in [names] if isinstance(names, str) else names:
            SpecificCharacterSetValues(name)
    except ValueError:
        use_utf_8(header)


def use_utf_8(header: pydicom.Dataset) -> None:
    """Change the character set of a header to UTF-8, in place."""
    header.decode()  # with the character set that the header names
    header.SpecificCharacterSet = "ISO_IR 192"


def _missing(element: str) -> ScanError:
    return ScanError(
        f"an image of the scan has no {element}; expected one, because the output refers to each image. "
        "Export the series again, or choose another output type."
    )
