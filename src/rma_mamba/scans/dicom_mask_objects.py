"""DICOM Segmentations and RT Structure Sets as masks: which file is one, and what it states about itself.

Source: DICOM PS3.3 A.51 (Segmentation), A.19 (RT Structure Set).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.errors import GridError, RmaMambaError, ScanError
from rma_mamba.mask_provenance import MASK_KINDS, MaskProvenance
from rma_mamba.scans.dicom_mask_elements import missing_element
from rma_mamba.scans.dicom_parsing import pydicom_messages_suppressed
from rma_mamba.scans.dicom_rtstruct_reader import read_contours
from rma_mamba.scans.dicom_seg_reader import read_segments
from rma_mamba.scans.formats import detect_format
from rma_mamba.scans.input_files import files_below
from rma_mamba.scans.mask_content import MaskContent
from rma_mamba.volume import Geometry, Volume

_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
_SEGMENTATIONS = (SegmentationStorage, _LABEL_MAP_STORAGE)
_MAX_TEXT = 64


def mask_object(path: Path) -> Path | None:
    """The DICOM Segmentation or RT Structure Set at a path: a file, or the only one in a folder; None if there is none.

    Raises:
        ScanError: A folder has several.
        OSError: A file cannot be read.
    """
    if path.is_dir():
        found = [each.path for each in files_below(path) if each.path and _is_mask(each.path)]
        if len(found) > 1:
            raise ScanError(
                f"the folder has {len(found)} DICOM segmentations or structure sets; expected one mask. "
                "Pass the file of one of them."
            )
        return found[0] if found else None
    return path if _is_mask(path) else None


def read_mask_object(path: Path, scan: Volume | Geometry | None) -> MaskContent:
    """Read a DICOM Segmentation or an RT Structure Set.

    Args:
        path: The file.
        scan: The scan, or its grid; None: a segmentation is read on a grid of its own.

    Raises:
        ScanError: The file is corrupt, or a structure set is read without a scan.
        GridError: The mask is not on the voxels of the scan.
    """
    with _object_errors():
        data = pydicom.dcmread(path)
        _check_frame_of_reference(data, scan)
        if data.SOPClassUID == RTStructureSetStorage:
            found = read_contours(data, scan, _provenance_of_contours(data))
        else:
            found = read_segments(data, scan, _provenance_of_segments(data))
        return replace(found, warnings=(*found.warnings, *_remarks(data)))


def mask_of_series(folder: Path, series: str) -> Path:
    """The DICOM Segmentation or RT Structure Set with a SeriesInstanceUID, in a folder or below it.

    Raises:
        ScanError: There is none, or there are several.
    """
    paths = [each.path for each in files_below(folder) if each.path and _is_mask(each.path)]
    found = [path for path in paths if _series_uid(path) == series]
    if len(found) != 1:
        raise ScanError(
            f"the series has {len(found)} masks in files of their own; expected one. Import the file of one of them."
        )
    return found[0]


def _series_uid(path: Path) -> str:
    with pydicom_messages_suppressed():
        tags = ["SeriesInstanceUID"]
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
        return str(header.get("SeriesInstanceUID"))


def referenced_series(path: Path) -> str | None:
    """SeriesInstanceUID of the images on which a mask was drawn; None if the file does not state it."""
    tags = ["ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence"]
    with pydicom_messages_suppressed():
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
            found = [str(each.SeriesInstanceUID) for each in _referenced_series(data)]
        except (
            Exception
        ):  # corrupt elements raise exceptions of any type; `read_mask_object` reports them
            return None
    return found[0] if found else None


def _referenced_series(data: Dataset) -> Iterator[Dataset]:
    yield from data.get("ReferencedSeriesSequence", [])
    for frame in data.get("ReferencedFrameOfReferenceSequence", []):
        for study in frame.get("RTReferencedStudySequence", []):
            yield from study.get("RTReferencedSeriesSequence", [])


def _is_mask(path: Path) -> bool:
    if detect_format(path) != "dicom":
        return False
    with pydicom_messages_suppressed():
        try:
            tags = ["SOPClassUID", "Modality"]
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
            return str(header.get("SOPClassUID")) in (*_SEGMENTATIONS, RTStructureSetStorage)
        except (
            Exception
        ):  # corrupt elements raise exceptions of any type; the reader of scans reports them
            return False


@contextmanager
def _object_errors() -> Iterator[None]:
    """Suppress messages of pydicom, which quote element values, and turn its errors into ScanError."""
    try:
        with pydicom_messages_suppressed():
            yield
    except (RmaMambaError, MemoryError, OSError):
        raise
    except Exception as error:  # corrupt elements raise exceptions of any type
        name = getattr(error, "name", None)
        if isinstance(error, AttributeError) and name and tag_for_keyword(name) is not None:
            raise missing_element(name) from error
        raise ScanError(
            "the DICOM mask cannot be read: an element is corrupt, or the file is incomplete; expected a complete "
            "Segmentation or RT Structure Set. Export it again from the program that made it."
        ) from error


def _check_frame_of_reference(data: Dataset, scan: Volume | Geometry | None) -> None:
    """Check that mask and scan are in the same coordinates: equal positions alone do not show it."""
    images = scan.source_images if isinstance(scan, Volume) else None
    if images is None:
        return
    with images.slices[0].open() as stream:
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
    expected, found = header.get("FrameOfReferenceUID"), set(_frames_of_reference(data))
    if expected and found and str(expected) not in found:
        raise GridError(
            "the mask is in another frame of reference than the scan; expected a mask of this scan. "
            "Pass the series on which the mask was drawn."
        )


def _frames_of_reference(data: Dataset) -> Iterator[str]:
    items = [data, *data.get("StructureSetROISequence", [])]
    items += data.get("ReferencedFrameOfReferenceSequence", [])
    for item in items:
        for keyword in ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID"):
            if uid := item.get(keyword):
                yield str(uid)


def _remarks(data: Dataset) -> Iterator[str]:
    """What this program has stated of a yellow or red mask; remarks of other programs may name a patient."""
    marked = re.search(r"quality (yellow|red)", str(data.get("SeriesDescription")))
    if marked and str(data.get("ManufacturerModelName")) == SOFTWARE_NAME:
        yield f"The quality of the mask was {marked[1]} when it was written."


def _provenance_of_segments(data: Dataset) -> MaskProvenance:
    segments = data.get("SegmentSequence") or []
    segment = next((each for each in segments if each.get("SegmentNumber")), Dataset())
    algorithm = (segment.get("SegmentationAlgorithmIdentificationSequence") or [Dataset()])[0]
    weights = re.search(r"weights_sha256=([0-9a-f]{64})", str(algorithm.get("AlgorithmParameters")))
    return _provenance(
        segment.get("SegmentAlgorithmType"),
        data.get("ContentCreatorName"),
        algorithm.get("AlgorithmName") or segment.get("SegmentAlgorithmName"),
        algorithm.get("AlgorithmVersion"),
        weights[1] if weights else None,
    )


def _provenance_of_contours(data: Dataset) -> MaskProvenance:
    roi = (data.get("StructureSetROISequence") or [Dataset()])[0]
    creator = data.get("OperatorsName")
    return _provenance(roi.get("ROIGenerationAlgorithm"), creator)


def _provenance(
    kind: object,
    creator: object,
    algorithm: object = None,
    version: object = None,
    weights_sha256: str | None = None,
) -> MaskProvenance:
    stated = str(kind or "").lower()
    return MaskProvenance(
        next((each for each in MASK_KINDS if each == stated), "automatic"),
        _text(creator),
        _text(algorithm),
        _text(version),
        weights_sha256,
    )


def _text(value: object) -> str | None:
    """A text as far as it can be written again: one value, one script, printable, of at most 64 characters."""
    text = re.split(r"[\\=]", str(value or ""))[0]
    text = "".join(each if each.isprintable() else " " for each in text)
    return None if text.strip() in ("", "not stated") else text[:_MAX_TEXT]
