"""A quick look at files: whether there are DICOM slices among them, and of which study, without reading all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.scans.dicom_image import DERIVED_OBJECTS, DicomImage
from rma_mamba.scans.dicom_parsing import parse_file, pydicom_messages_suppressed
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
