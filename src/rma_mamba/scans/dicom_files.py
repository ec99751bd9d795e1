"""Find the DICOM images among the files of a study, with warnings about skipped files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.conventions import (
    ACCOMPANYING_SUFFIXES,
    ARCHIVE_SUFFIXES,
    DICOM_SUFFIXES,
    IMAGE_SUFFIXES,
    ITK_SUFFIXES,
    NIFTI_SUFFIXES,
)
from rma_mamba.errors import ScanError
from rma_mamba.scans.dicom_functional_groups import split_frames
from rma_mamba.scans.dicom_image import DicomImage
from rma_mamba.scans.dicom_parsing import parse_file
from rma_mamba.scans.input_files import InputFile
from rma_mamba.scans.slice_grid import MAX_MISSING_FRACTION

_NOT_SLICES = (
    *(*ACCOMPANYING_SUFFIXES, *ARCHIVE_SUFFIXES, *IMAGE_SUFFIXES),
    *(*ITK_SUFFIXES, *NIFTI_SUFFIXES),
)


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study.

    Args:
        images: The DICOM files; multi-frame objects as separate frames.
        non_dicom: Number of files without a suffix that are not DICOM; they could be corrupt slices.
        corrupt: Number of DICOM files or frames that cannot be read.
        lacking: The elements that all of these lack, if that is why; else empty.
        missing: Number of links to files that do not exist, and that could be slices.
    """

    images: list[DicomImage]
    non_dicom: int
    corrupt: int
    lacking: tuple[str, ...] = ()
    missing: int = 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """One warning for each type of skipped file."""
        non_slices = len({image.file.name for image in self.images if not image.is_slice})
        return (
            *_non_dicom_warning(self.non_dicom),
            *_corrupt_warning(self.corrupt, self.lacking),
            *_missing_warning(self.missing),
            *_non_slice_warning(non_slices),
        )


def read_files(files: Sequence[InputFile], *, strict: bool = False) -> StudyFiles:
    """Read the headers of all DICOM files.

    Args:
        files: All files of the study.
        strict: Raise an error for corrupt files instead of skipping a few of them.

    Raises:
        ScanError: There are no images, or too many corrupt or missing files: any at all if `strict`, else more than
            half as many as there are images.
    """
    images: list[DicomImage] = []
    corrupt, non_dicom = 0, 0
    reasons: set[str] = set()
    missing = [file for file in files if file.is_missing and _may_be_slice(file)]
    for file in files:
        if file.is_missing:
            continue
        parsed = parse_file(file)
        image, is_dicom = parsed.image, parsed.is_dicom
        is_dicomdir = file.base_name == "DICOMDIR"
        # An empty file is recognised as DICOM by its name; ignoring it could drop the last slice of a series.
        is_dicom |= file.suffix in DICOM_SUFFIXES
        non_dicom += not is_dicom and file.suffix == "" and not is_dicomdir
        try:
            images += split_frames(image) if image and image.is_slice else [image] if image else []
        except MemoryError:
            raise
        except Exception:  # corrupt functional groups raise exceptions of any type
            image = None
        if is_dicom and image is None and not is_dicomdir:
            corrupt += 1
            reasons.add(parsed.lacking)
    lacking = () if "" in reasons else tuple(sorted(reasons))
    if corrupt and (strict or corrupt > MAX_MISSING_FRACTION * len(images)):
        raise ScanError(
            f"{_corrupt_files(corrupt, lacking, 'file')}; expected a complete series. "
            "Export or copy the whole series again."
        )
    _check_missing(missing, images, strict=strict)
    if not images:
        problem = "no DICOM images found" if files else "the folder is empty"
        raise ScanError(
            f"{problem}; expected the files of a DICOM series. "
            "Pass the folder, the zip archive or the file of the scan."
        )
    return StudyFiles(images, non_dicom, corrupt, lacking, len(missing))


def _may_be_slice(link: InputFile) -> bool:
    """Whether a link may have led to a slice: DICOM files may have any suffix, or none."""
    return not link.base_name.lower().endswith(_NOT_SLICES)


def _check_missing(
    missing: Sequence[InputFile], images: Sequence[DicomImage], *, strict: bool
) -> None:
    """Check that not too many slices are missing; those of other folders may belong to other series."""
    folders = {_folder(image.file) for image in images}
    count = sum(not images or strict or _folder(link) in folders for link in missing)
    if count and (strict or count > MAX_MISSING_FRACTION * len(images)):
        raise ScanError(
            f"{_links_lead(count)} nowhere; expected the files of a complete series. "
            "Download or copy the files that the links stand for."
        )


def _folder(file: InputFile) -> str:
    return str(Path(file.name).parent)


def _links_lead(count: int) -> str:
    return "1 link leads" if count == 1 else f"{count} links lead"


def _missing_warning(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{_links_lead(count)} nowhere: if any stands for a slice, the mask is incomplete.",)


def _corrupt_files(count: int, lacking: tuple[str, ...], noun: str) -> str:
    """What is wrong with DICOM files."""
    files = f"1 DICOM {noun}" if count == 1 else f"{count} DICOM {noun}s"
    if lacking and "PixelData" not in lacking:
        return f"{' or '.join(lacking)} is missing in {files}"
    detail = f" ({' or '.join(lacking)} is missing)" if lacking else ""
    return f"{files} {'is' if count == 1 else 'are'} truncated or corrupt{detail}"


def _corrupt_warning(count: int, lacking: tuple[str, ...]) -> tuple[str, ...]:
    if not count:
        return ()
    was = "it was" if count == 1 else "they were"
    return (
        f"{_corrupt_files(count, lacking, 'image')}: {was} skipped, and slices may be missing at the ends of the mask.",
    )


def _non_dicom_warning(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    if count == 1:
        return ("1 file without a suffix is not DICOM: if it was a slice, the mask is incomplete.",)
    return (
        f"{count} files without a suffix are not DICOM: if any was a slice, the mask is incomplete.",
    )


def _non_slice_warning(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    subject = (
        "1 DICOM file that is not a slice was"
        if count == 1
        else f"{count} DICOM files that are not slices were"
    )
    return (f"{subject} skipped (localizers, reports, segmentations).",)
