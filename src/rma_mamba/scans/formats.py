"""Detection of the format of a scan from its first bytes; file names are not reliable."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rma_mamba.conventions import (
    ACCOMPANYING_SUFFIXES,
    DICOM_SUFFIXES,
    IMAGE_SUFFIXES,
    NIFTI_SUFFIXES,
)
from rma_mamba.errors import ScanError
from rma_mamba.folder_tree import leads_nowhere, visible
from rma_mamba.scans.earlier_results import is_preview, results_in
from rma_mamba.scans.nifti_pairs import header_and_image
from rma_mamba.scans.stream import GZIP_MAGIC, not_a_file

ScanFormat = Literal["dicom", "zip", "itk", "image", "image folder", "nifti"]

# First bytes of a DICOM file without the 128-byte preamble: an element of group 0002 or 0008.
DICOM_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")

_IMAGE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_META_IMAGE_FIELDS = (b"ObjectType", b"NDims", b"Comment")

# First bytes of a NIfTI or Analyze header (its size), with the byte at which NIfTI has its magic string.
_NIFTI_SIZES = {(348).to_bytes(4, "little"): 344, (348).to_bytes(4, "big"): 344}
_NIFTI_SIZES |= {(540).to_bytes(4, "little"): 4, (540).to_bytes(4, "big"): 4}
_NIFTI_MAGIC = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0")
_HEAD_BYTES = 352


def detect_format(path: Path) -> ScanFormat:
    """The format of a file or folder; "nifti" also for unknown formats.

    Raises:
        ScanError: The path is neither a file nor a folder, or a file has two formats at once.
        OSError: The file cannot be opened.
    """
    if path.is_dir():
        return "image folder" if image_files(path) else "dicom"
    if not path.is_file():
        raise not_a_file()
    head = _head(path)
    if head.startswith(_ZIP_MAGIC):
        return "zip"
    if _is_dicom(path, head):
        return "dicom"
    if head.startswith(b"NRRD") or (head.startswith(_META_IMAGE_FIELDS) and b"=" in head):
        return "itk"
    return "image" if head.startswith(_IMAGE_MAGIC) else "nifti"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _is_dicom(path: Path, head: bytes) -> bool:
    """Whether a file is DICOM.

    Raises:
        ScanError: It is DICOM and NIfTI at once.
    """
    pair = header_and_image(path)
    is_image_of_pair = pair is not None and pair[1] == path and _has_nifti_size(pair[0])
    if has_dicom_prefix(head):
        if is_image_of_pair or head[_NIFTI_SIZES.get(head[:4], 0) :][:4] in _NIFTI_MAGIC:
            raise ScanError(
                "the file can be read in two ways, as a DICOM image and as NIfTI or Analyze; expected one format. "
                "If it is DICOM, move the .hdr file away or export the image again; if not, convert it to .nii.gz."
            )
        return True
    # the first voxels of an image may look like the start of a DICOM file without preamble
    return (is_dicom_without_preamble(head) and not is_image_of_pair) or _has_dicom_suffix(path)


def _has_nifti_size(header: Path) -> bool:
    """Whether a file starts like a NIfTI or Analyze header; a compressed one is not opened, since DICOM has none."""
    if not header.is_file():
        return False
    head = _head(header)
    return head[:4] in _NIFTI_SIZES or head.startswith(GZIP_MAGIC)


def has_dicom_prefix(head: bytes) -> bool:
    """Whether the first 132 bytes of a file end with the DICOM prefix "DICM"."""
    return head[128:132] == b"DICM"


def is_dicom_without_preamble(head: bytes) -> bool:
    """Whether a file may be DICOM without preamble: it starts with an element of group 0002 or 0008."""
    return head[:2] in DICOM_FIRST_GROUPS


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder, unsorted, and links that stand for one; empty if it may be something else.

    Notes, masks and results of earlier runs may lie beside the images.
    """
    written = results_in(folder)
    beside = (*ACCOMPANYING_SUFFIXES, *NIFTI_SUFFIXES)
    found = [
        path
        for path in visible(folder.iterdir())
        if path.name not in written and not path.name.lower().endswith(beside)
    ]
    found = [path for path in found if not (path.is_dir() and _has_results_only(path))]
    only_images = all(
        path.suffix.lower() in IMAGE_SUFFIXES and _may_be_image(path) for path in found
    )
    return [path for path in found if not is_preview(path)] if only_images else []


def _has_results_only(folder: Path) -> bool:
    written = results_in(folder)
    return bool(written) and all(path.name in written for path in visible(folder.iterdir()))


def _may_be_image(path: Path) -> bool:
    return leads_nowhere(path) or (path.is_file() and not has_dicom_prefix(_head(path)))


def _has_dicom_suffix(path: Path) -> bool:
    return path.suffix.lower() in DICOM_SUFFIXES
