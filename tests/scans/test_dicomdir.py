"""A DICOMDIR stands for the files that it names: listed, read and segmented like their folder."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, uid

from clinical_series import PATIENT
from dicom_series import SERIES, SLICES, as_series, pixels_of, save, series
from rma_mamba.errors import ScanError
from rma_mamba.scans import list_series, read_geometry, read_scan


def directory(path: Path, *names: list[str]) -> Path:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.DirectoryRecordSequence = []
    for name in names:
        record = Dataset()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tests write invalid names on purpose
            record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name
        data.DirectoryRecordSequence.append(record)
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """Two series of one study as written to a medium, with a file beside that the DICOMDIR does not name."""
    late = as_series(series(slices=20), 2)
    pixels_of(late, lambda values, k: values + 100)
    slices = [*as_series(series(), 1), *late]
    for number, data in enumerate(slices):
        for keyword, value in PATIENT.items():
            setattr(data, keyword, value)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.5.{number}"
        data.InstanceNumber = number + 1
    path = tmp_path / "medium"
    path.mkdir()
    save(path / "IMAGES", slices, shuffled=False)
    save(path / "OTHER", as_series(series(slices=30), 3))
    directory(path / "DICOMDIR", *(["IMAGES", file.name] for file in (path / "IMAGES").iterdir()))
    return path


def test_the_series_that_it_names_are_listed(medium: Path) -> None:
    found = list_series(medium / "DICOMDIR")
    assert [(entry.number, entry.images, entry.chosen) for entry in found] == [
        (1, SLICES, False),
        (2, 20, True),
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_its_series_are_read_like_those_of_the_folder(medium: Path, number: int) -> None:
    uid_of = list_series(medium / "DICOMDIR")[number - 1].uid
    volume = read_scan(medium / "DICOMDIR", series=number)
    expected = read_scan(medium, series=uid_of)
    assert np.array_equal(volume.values, expected.values)
    assert volume.geometry.matches(expected.geometry)
    assert volume.warnings == ()
    assert read_geometry(medium / "DICOMDIR").shape[2] == 20


@pytest.mark.skipif(shutil.which("dcmmkdir") is None, reason="dcmtk is not installed")
def test_a_dicomdir_of_dcmtk_is_read(medium: Path) -> None:
    (medium / "DICOMDIR").unlink()
    options = ["+r", "-Pgp", "-W", "-Nxc", "+I", "+id", medium, "+D", medium / "DICOMDIR"]
    subprocess.run(["dcmmkdir", *options, "IMAGES"], check=True, capture_output=True, cwd=medium)
    assert [entry.images for entry in list_series(medium / "DICOMDIR")] == [SLICES, 20]


def test_its_name_does_not_matter(medium: Path) -> None:
    (medium / "DICOMDIR").rename(medium / "contents.dcm")
    assert len(list_series(medium / "contents.dcm")) == 2


def test_names_are_found_in_small_letters(medium: Path) -> None:
    for path in sorted(medium.rglob("*"), reverse=True):
        if path.name != "DICOMDIR":
            path.rename(path.with_name(path.name.lower()))
    assert [entry.images for entry in list_series(medium / "DICOMDIR")] == [SLICES, 20]


def test_a_file_that_is_not_there_is_a_missing_slice(medium: Path) -> None:
    (medium / "IMAGES" / "IM0011").unlink()
    volume = read_scan(medium / "DICOMDIR")
    assert volume.geometry.shape[2] == 20
    assert any("nowhere" in warning for warning in volume.warnings)
    assert any("About 1 slice" in warning for warning in volume.warnings)
    with pytest.raises(ScanError, match="1 link leads nowhere"):
        read_scan(medium / "DICOMDIR", strict=True)


def test_a_dicomdir_alone_is_an_error_that_says_so(medium: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    shutil.copy(medium / "DICOMDIR", tmp_path / "alone" / "DICOMDIR")
    with pytest.raises(ScanError, match="of the 26 files that the DICOMDIR names none exists"):
        list_series(tmp_path / "alone" / "DICOMDIR")


def test_names_that_lead_out_of_its_folder_are_ignored(tmp_path: Path) -> None:
    save(tmp_path / "outside", series())
    (tmp_path / "medium").mkdir()
    names = [["..", "outside", "IM0000"], ["."], ["IMAGES", "IM0000"]]
    path = directory(tmp_path / "medium" / "DICOMDIR", *names)
    with pytest.raises(ScanError, match="of the 1 files"):
        read_scan(path)


def test_a_corrupt_dicomdir_is_an_error(tmp_path: Path) -> None:
    path = directory(tmp_path / "DICOMDIR", ["IMAGES", "IM0000"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ScanError, match="DICOMDIR"):
        list_series(path)
