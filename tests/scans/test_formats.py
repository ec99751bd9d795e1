"""The format of a scan is detected from its content; suffixes count for DICOM files only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.errors import ScanError
from rma_mamba.reporting import write_preview
from rma_mamba.scans.formats import detect_format, image_files
from rma_mamba.volume import Geometry, Mask, Volume

GEOMETRY = Geometry((5, 4, 3), np.eye(4))

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


def test_what_this_program_and_operating_systems_write_is_not_a_slice(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "Thumbs.db", "._1.png", "liver.nii.gz", "report.html"):
        (tmp_path / name).write_bytes(b"")
    volume, mask = Volume(np.arange(60.0).reshape(5, 4, 3), GEOMETRY), np.ones((5, 4, 3), np.uint8)
    write_preview(volume, Mask(mask, GEOMETRY), tmp_path / "liver_preview.png")
    case = tmp_path / "scan"
    case.mkdir()
    (case / "run.json").write_text(json.dumps({"rma_mamba": "1", "files": {"preview.png": ""}}))
    (case / "preview.png").write_bytes(b"")
    (tmp_path / "__MACOSX").mkdir()
    assert sorted(path.name for path in image_files(tmp_path)) == ["1.png", "2.png"]
    (case / "3.png").write_bytes(b"")
    assert image_files(tmp_path) == []


def test_dicom_slices_are_dicom_whatever_their_names(tmp_path: Path) -> None:
    for name in ("1.png", "2.img", "3.dat", "4.nii", "5.hdr"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
        assert detect_format(tmp_path / name) == "dicom"
    assert detect_format(tmp_path) == "dicom"


@pytest.mark.parametrize("first", [b"\x08\x00", b"\x02\x00", b"\x00\x00"])
def test_the_image_of_a_pair_is_not_dicom_whatever_its_first_voxels(
    tmp_path: Path, first: bytes
) -> None:
    (tmp_path / "a.img").write_bytes(first * 300)
    (tmp_path / "a.hdr").write_bytes((348).to_bytes(4, "little") + bytes(344))
    assert detect_format(tmp_path / "a.img") == "nifti"
    (tmp_path / "a.hdr").unlink()
    assert detect_format(tmp_path / "a.img") == ("nifti" if first == b"\0\0" else "dicom")


def test_a_file_of_two_formats_is_refused_and_both_are_named(tmp_path: Path) -> None:
    size = (348).to_bytes(4, "little")
    for name, header, end in (
        ("a.nii", size + bytes(124), bytes(212) + b"n+1\0"),
        ("b.img", bytes(128), bytes(216)),
    ):
        (tmp_path / name).write_bytes(header + b"DICM" + end)
        (tmp_path / "b.hdr").write_bytes(size + bytes(344))
        with pytest.raises(ScanError, match="two ways, as a DICOM image and as NIfTI or Analyze"):
            detect_format(tmp_path / name)


def test_an_empty_folder_is_read_as_dicom(tmp_path: Path) -> None:
    assert detect_format(tmp_path) == "dicom"


def test_a_device_is_rejected() -> None:
    with pytest.raises(ScanError, match="neither a file nor a folder"):
        detect_format(Path("/dev/null"))
