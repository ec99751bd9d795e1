"""The format of a scan is detected from its content; suffixes count for DICOM files only."""

from __future__ import annotations

from pathlib import Path

import pytest

from rma_mamba.errors import ScanError
from rma_mamba.scans.formats import detect_format, image_files

FIRST_BYTES = {
    "DICOM": (bytes(128) + b"DICM", "dicom"),
    "DICOM without preamble": (b"\x08\x00\x05\x00" + bytes(200), "dicom"),
    "zip": (b"PK\x03\x04" + bytes(200), "zip"),
    "empty zip": (b"PK\x05\x06" + bytes(20), "zip"),
    "NRRD": (b"NRRD0004\n", "itk"),
    "MetaImage": (b"ObjectType = Image\n", "itk"),
    "a text that only starts like MetaImage": (b"Comment: no MetaImage\n", "nifti"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "image"),
    "TIFF": (b"II*\0", "image"),
    "BMP": (b"BM" + bytes(50), "image"),
    "anything else": (bytes(400), "nifti"),
    "empty": (b"", "nifti"),
}


@pytest.mark.parametrize(("content", "expected"), FIRST_BYTES.values(), ids=FIRST_BYTES.keys())
@pytest.mark.parametrize("name", ["scan", "scan.nii.gz", "scan.png"])
def test_the_format_depends_on_the_first_bytes_and_not_on_the_name(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert detect_format(tmp_path / name) == expected


@pytest.mark.parametrize("name", ["scan.dcm", "scan.DICOM", "scan.ima"])
def test_a_file_with_a_dicom_suffix_is_dicom_even_if_it_is_corrupt(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"corrupt")
    assert detect_format(tmp_path / name) == "dicom"


def test_a_folder_is_an_image_folder_if_it_contains_images_and_notes_only(tmp_path: Path) -> None:
    for name in ("1.png", "2.JPG", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    assert detect_format(tmp_path) == "image folder"
    assert {path.name for path in image_files(tmp_path)} == {"1.png", "2.JPG"}
    (tmp_path / "IM0001").write_bytes(b"")
    assert detect_format(tmp_path) == "dicom"
    assert image_files(tmp_path) == []


def test_an_empty_folder_is_read_as_dicom(tmp_path: Path) -> None:
    assert detect_format(tmp_path) == "dicom"


def test_a_device_is_rejected() -> None:
    with pytest.raises(ScanError, match="neither a file nor a folder"):
        detect_format(Path("/dev/null"))
