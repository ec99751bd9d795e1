"""Of which kind a scan is, by its first bytes: a name may say anything."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rma_mamba.scans.stream import not_a_file

ScanFormat = Literal["dicom", "zip", "itk", "image", "image folder", "nifti"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_DICOM_GROUPS = (b"\x02\x00", b"\x08\x00")  # of a file without preamble
_META_FIELDS = (b"ObjectType", b"NDims", b"Comment")

# Beside pictures there may be notes on them.
_NOTES = (".txt", ".json", ".csv", ".xml", ".md", ".ini", ".db")


def detect_format(path: Path) -> ScanFormat:
    """The kind of what lies at a path; "nifti" also for what is of no known kind.

    Raises:
        ScanError: It is neither a file nor a folder.
        OSError: It cannot be opened.
    """
    if path.is_dir():
        return "image folder" if image_files(path) else "dicom"
    if not path.is_file():
        raise not_a_file()
    with path.open("rb") as file:
        head = file.read(132)
    if head.startswith(_ZIPS):
        return "zip"
    if head[128:] == b"DICM" or head[:2] in _DICOM_GROUPS or path.suffix.lower() in _DICOM_SUFFIXES:
        return "dicom"
    if head.startswith(b"NRRD") or (head.startswith(_META_FIELDS) and b"=" in head):
        return "itk"
    return "image" if head.startswith(_PICTURES) else "nifti"


def image_files(folder: Path) -> list[Path]:
    """The pictures of a folder that holds nothing else, in no order; else none."""
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    files = [path for path in files if path.suffix.lower() not in _NOTES]
    pictures = all(path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() for path in files)
    return files if pictures else []
