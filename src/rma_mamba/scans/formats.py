"""Detection of the format of a scan from its first bytes; file names are not reliable."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rma_mamba.conventions import DICOM_SUFFIXES, IMAGE_SUFFIXES
from rma_mamba.scans.stream import not_a_file

ScanFormat = Literal["dicom", "zip", "itk", "image", "image folder", "nifti"]

# First bytes of a DICOM file without the 128-byte preamble: an element of group 0002 or 0008.
DICOM_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")

_IMAGE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_META_IMAGE_FIELDS = (b"ObjectType", b"NDims", b"Comment")

# Files that may accompany the images in a folder.
_SIDECAR_SUFFIXES = (".txt", ".json", ".csv", ".xml", ".md", ".ini", ".db")


def detect_format(path: Path) -> ScanFormat:
    """The format of a file or folder; "nifti" also for unknown formats.

    Raises:
        ScanError: The path is neither a file nor a folder.
        OSError: The file cannot be opened.
    """
    if path.is_dir():
        return "image folder" if image_files(path) else "dicom"
    if not path.is_file():
        raise not_a_file()
    with path.open("rb") as file:
        head = file.read(132)
    if head.startswith(_ZIP_MAGIC):
        return "zip"
    if has_dicom_prefix(head) or is_dicom_without_preamble(head) or _has_dicom_suffix(path):
        return "dicom"
    if head.startswith(b"NRRD") or (head.startswith(_META_IMAGE_FIELDS) and b"=" in head):
        return "itk"
    return "image" if head.startswith(_IMAGE_MAGIC) else "nifti"


def has_dicom_prefix(head: bytes) -> bool:
    """Whether the first 132 bytes of a file end with the DICOM prefix "DICM"."""
    return head[128:132] == b"DICM"


def is_dicom_without_preamble(head: bytes) -> bool:
    """Whether a file may be DICOM without preamble: it starts with an element of group 0002 or 0008."""
    return head[:2] in DICOM_FIRST_GROUPS


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder, unsorted; empty if the folder also contains other files."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    files = [path for path in files if path.suffix.lower() not in _SIDECAR_SUFFIXES]
    only_images = all(path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() for path in files)
    return files if only_images else []


def _has_dicom_suffix(path: Path) -> bool:
    return path.suffix.lower() in DICOM_SUFFIXES
