"""Files of all transfer syntaxes are read; files that are not slices are skipped with a warning."""

from __future__ import annotations

import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom import Dataset, FileMetaDataset, uid
from pydicom.encaps import encapsulate

from dicom_series import (
    AXIAL,
    COLUMNS,
    ROWS,
    SLICES,
    assign,
    beside,
    ct_slice,
    edited,
    save,
    series,
    stored,
    zipped,
)
from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_parsing, read_scan


def test_other_files_and_folders_are_ignored(tmp_path: Path) -> None:
    folder = save(tmp_path / "series", series())
    (folder / "notes.txt").write_text("10-20 mm\n" * 50)
    (folder / "empty.log").write_bytes(b"")
    (folder / "noise.bin").write_bytes(b"\x08\x00" + bytes(range(256)) * 20)
    (folder / "subfolder").mkdir()
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == ()


APPLE_DOUBLE = bytes.fromhex("00051607000200004d6163204f532058") + bytes(4000)


@pytest.mark.parametrize("end", ["", ".dcm"])
@pytest.mark.parametrize("zip_it", [False, True])
def test_what_operating_systems_leave_beside_slices_is_not_a_slice(
    tmp_path: Path, end: str, zip_it: bool
) -> None:
    folder = save(tmp_path / "series", series())
    (folder / "__MACOSX").mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        path.rename(path.with_name(path.name + end))
        (folder / f"._{path.name}{end}").write_bytes(APPLE_DOUBLE)
        (folder / "__MACOSX" / f"{path.name}{end}").write_bytes(APPLE_DOUBLE)
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (folder / name).write_bytes(APPLE_DOUBLE)
    volume = read_scan(zipped(folder, tmp_path / "a.zip") if zip_it else folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == ()


@pytest.mark.parametrize("name", ["IM9999", "IM9999.dcm", "IM9999.img", "IM9999.dat"])
def test_links_that_lead_nowhere_are_missing_slices(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path / "series", series())
    (folder / name).symlink_to("nowhere")
    volume = read_scan(folder)
    assert volume.geometry.shape[2] == SLICES
    assert volume.warnings == (
        "1 link leads nowhere: if any stands for a slice, the mask is incomplete.",
    )
    with pytest.raises(ScanError, match="1 link leads nowhere"):
        read_scan(folder, strict=True)
    for number in range(SLICES):
        (folder / f"more {number}").symlink_to("nowhere")
    with pytest.raises(ScanError, match="7 links lead nowhere"):
        read_scan(folder)


def test_links_of_another_series_that_lead_nowhere_are_not_an_error(tmp_path: Path) -> None:
    save(tmp_path / "here", series())
    (tmp_path / "elsewhere").mkdir()
    for number in range(3 * SLICES):
        (tmp_path / "elsewhere" / f"IM{number}").symlink_to("nowhere")
    (warning,) = read_scan(tmp_path).warnings
    assert warning.startswith(f"{3 * SLICES} links lead nowhere")


def test_a_folder_of_links_that_lead_nowhere_is_an_error_that_counts_them(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"IM{number}.dcm").symlink_to("nowhere")
    with pytest.raises(ScanError, match="5 links lead nowhere"):
        read_scan(tmp_path)
    with pytest.raises(ScanError, match="a link that leads nowhere"):
        read_scan(tmp_path / "IM0.dcm")


def test_slices_behind_links_are_read_once(tmp_path: Path) -> None:
    save(tmp_path / "stored", series())
    (tmp_path / "scan").mkdir()
    for name in ("a", "b"):
        (tmp_path / "scan" / name).symlink_to(tmp_path / "stored")
    (tmp_path / "stored" / "back").symlink_to(tmp_path / "scan")
    (tmp_path / "stored" / "up").symlink_to(tmp_path)
    volume = read_scan(tmp_path / "scan")
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == ()


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_files_without_preamble_are_read(tmp_path: Path, syntax: Any) -> None:
    tmp_path.joinpath("series").mkdir()
    for k, data in enumerate(series()):
        del data.file_meta
        data.save_as(
            tmp_path / "series" / f"{k}",
            implicit_vr=syntax.is_implicit_VR,
            little_endian=True,
            enforce_file_format=False,
        )
    head = (tmp_path / "series" / "0").read_bytes()[:132]
    assert not head.endswith(b"DICM")
    volume = read_scan(tmp_path / "series")
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    slices = series()
    tmp_path.joinpath("series").mkdir()
    for k, data in enumerate(slices):
        pixels = stored()[k].astype(">u2").tobytes()
        data.PixelData = pixels
        data["PixelData"].VR = "OW"
        data.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
        data.save_as(tmp_path / "series" / f"{k}", enforce_file_format=True)
    volume = read_scan(tmp_path / "series")
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [12, 16])
def test_jpeg_2000_is_read_bit_for_bit(tmp_path: Path, bits: int, signed: bool) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(0).integers(low, low + 2**bits, (3, 64, 48))
    slices = []
    for k, pixels in enumerate(values.astype("<i2" if signed else "<u2")):
        data = ct_slice(pixels, (0, 0, 2.5 * k), AXIAL, (1.0, 1.0), k)
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
        data.RescaleIntercept = 0
        coded = encode_array(pixels, bits_stored=bits, photometric_interpretation=2)
        data.PixelData = encapsulate([coded])
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
        data.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
        slices.append(data)
    assert np.array_equal(read_scan(save(tmp_path, slices)).values, values.transpose(2, 1, 0))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless])
def test_compressed_slices_are_read(tmp_path: Path, syntax: Any) -> None:
    slices = series()
    for data in slices:
        data.compress(syntax, generate_instance_uid=False)
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def deflated(folder: Path, slices: list[Dataset]) -> Path:
    folder.mkdir()
    for k, data in enumerate(slices):
        data.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        data.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return folder


def test_deflated_files_are_read(tmp_path: Path) -> None:
    volume = read_scan(deflated(tmp_path / "series", series()))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def test_a_deflated_bomb_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = series(slices=2)
    slices[1].PixelData = bytes(10**6)
    folder = deflated(tmp_path / "series", slices)
    monkeypatch.setattr(dicom_parsing, "_MAX_INFLATED_BYTES", 10**5)
    with pytest.raises(ScanError, match="1 DICOM file is truncated or corrupt"):
        read_scan(folder)


@pytest.mark.parametrize("kind", ["localizer", "screenshot", "segmentation", "report", "dose"])
def test_objects_that_are_not_slices_are_skipped_with_a_warning(tmp_path: Path, kind: str) -> None:
    folder = save(tmp_path, [*series(), beside(kind)])
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == (
        "1 DICOM file that is not a slice was skipped (localizers, reports, segmentations).",
    )


def test_a_folder_without_any_slices_is_rejected(tmp_path: Path) -> None:
    folder = save(tmp_path, [beside("segmentation"), beside("report"), beside("report")])
    with pytest.raises(ScanError, match="3 other DICOM files: 1 SEG, 2 SR"):
        read_scan(folder)


@pytest.mark.parametrize("content", [b"", b"cut", bytes(200)])
def test_a_slice_that_is_no_longer_dicom_gives_a_warning(tmp_path: Path, content: bytes) -> None:
    folder = save(tmp_path, series(), shuffled=False)
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(content)
    (warning,) = read_scan(folder).warnings
    assert "1 file without a suffix is not DICOM" in warning
    last.rename(last.with_suffix(".dcm"))
    with pytest.raises(ScanError, match="1 DICOM file is truncated or corrupt"):
        read_scan(folder, strict=True)
    (warning,) = read_scan(folder).warnings
    assert "1 DICOM image is truncated or corrupt" in warning


def test_duplicates_are_found_even_if_all_slices_share_one_uid(tmp_path: Path) -> None:
    folder = save(tmp_path, edited(assign("SOPInstanceUID", "1.2.3")))
    shutil.copy(folder / "IM0002", folder / "IM0002 (copy)")
    assert read_scan(folder).geometry.shape == (COLUMNS, ROWS, SLICES)


def test_duplicate_slices_are_skipped_with_a_warning(tmp_path: Path) -> None:
    folder = save(tmp_path, series())
    shutil.copy(folder / "IM0001", folder / "IM0001 (copy)")
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == ("1 duplicate slice was skipped.",)


def test_a_dicomdir_is_not_a_slice(tmp_path: Path) -> None:
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    directory.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    directory.FileSetID = "DISC"
    directory.DirectoryRecordSequence = []
    directory.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    (tmp_path / "IMAGES").mkdir()
    with pytest.raises(ScanError, match="no DICOM images"):
        read_scan(tmp_path)
    assert read_scan(save(tmp_path, series())).warnings == ()


def test_messages_of_pydicom_do_not_reach_the_user(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    slices = series()
    for data in slices:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data.SpecificCharacterSet = "ISO_NONSENSE"
            data.PatientBirthDate = "not a date"
            data.PixelData = data.PixelData + b"\0\0\0\0"
    folder = save(tmp_path, slices)
    (folder / "noise").write_bytes(b"\x08\x00" + bytes(200))
    caplog.clear()
    capfd.readouterr()
    level = logging.getLogger("pydicom").level
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_scan(folder)
    assert (caught, caplog.records, *capfd.readouterr()) == ([], [], "", "")
    assert logging.getLogger("pydicom").level == level
