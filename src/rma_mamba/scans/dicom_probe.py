"""A quick look at files: whether there are DICOM slices among them, and of which study, without reading all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.scans.dicom_image import (
    DERIVED_OBJECTS,
    SECONDARY_CAPTURE,
    DicomImage,
)
from rma_mamba.scans.dicom_parsing import parse_file, pydicom_messages_suppressed
from rma_mamba.scans.dicom_series import SUPPORTED_MODALITIES
from rma_mamba.scans.input_files import from_path


@dataclass(frozen=True)
class SliceProbe:
    """What was found among files.

    Args:
        slices: Number of slices, up to the limit of the search; each frame of a multi-frame file counts.
        study: Patient and study of the first slice; None without slices. Never displayed.
    """

    slices: int = 0
    study: tuple[str, str] | None = None


@dataclass(frozen=True)
class ObjectIdentity:
    """What identifies a DICOM object; texts are empty if the element is missing.

    Args:
        study: StudyInstanceUID.
        series: SeriesInstanceUID.
        instance: SOPInstanceUID.
        sop_class: SOPClassUID.
        is_scan_image: Whether it is a CT or MR image, such as a slice or a localizer.
        place: Series, position and number, for images to which a faulty sender gave the same SOPInstanceUID.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    is_scan_image: bool
    place: tuple[str, ...] = ()


def identify_object(path: Path) -> ObjectIdentity | None:
    """What identifies the DICOM object in a file; None if the file is not DICOM or cannot be read."""
    with pydicom_messages_suppressed():
        image = _parsed(path)
        if image is None:
            return None
        scan = image.has_pixels and image.modality in SUPPORTED_MODALITIES
        capture = image.text("SOPClassUID") == SECONDARY_CAPTURE
        return ObjectIdentity(
            image.text("StudyInstanceUID"),
            image.text("SeriesInstanceUID"),
            image.text("SOPInstanceUID"),
            image.text("SOPClassUID"),
            scan and not capture,
            (
                image.text("SeriesInstanceUID"),
                image.texts("ImagePositionPatient"),
                image.text("InstanceNumber"),
            ),
        )


def probe_slices(files: Iterable[Path], *, enough: int = 1) -> SliceProbe:
    """Look for slices until there are enough of them."""
    found, study = 0, None
    with pydicom_messages_suppressed():
        for path in files:
            image = _parsed(path)
            if image is None or not image.is_slice:
                continue
            study = study or (image.text("PatientID"), image.text("StudyInstanceUID"))
            found += max(1, image.integer("NumberOfFrames"))
            if found >= enough:
                break
    return SliceProbe(min(found, enough), study)


def are_derived_objects(files: Iterable[Path]) -> bool:
    """Whether all files are DICOM objects made from a scan, such as segmentations and reports; False for no files."""
    count = 0
    with pydicom_messages_suppressed():
        for path in files:
            count += 1
            image = _parsed(path)
            if image is None or (image.has_pixels and image.modality not in DERIVED_OBJECTS):
                return False
    return count > 0


def _parsed(path: Path) -> DicomImage | None:
    """The header of a file; None if it is not DICOM or cannot be read, which its reader reports."""
    try:
        return parse_file(from_path(path)).image
    except OSError:
        return None
