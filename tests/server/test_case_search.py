"""Scans in folders and uploads: several series, volumes of a 4-D scan, archives in archives."""

import io
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.errors import ScanError
from rma_mamba.server.case_search import list_cases, list_series_of_case, list_upload

LIMITS = {"max_bytes": 2**24, "max_files": 100}


def ignore(*_: object) -> None:
    """Discard progress."""


def test_the_best_of_several_series_is_a_case_and_all_are_listed(tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    save(study / "short", clinical_series(slices=4))
    other = clinical_series()
    for number, each in enumerate(other):
        each.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.77"
        each.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.77.{number}"
    save(study / "long", other)
    found = list_cases(ignore, path=str(study))
    assert [each["name"] for each in found["cases"]] == ["study"]
    assert found["series"] == 2
    case = {"scan": str(study), "folder": str(tmp_path / "none"), "mask": None, "series": None}
    rows = list_series_of_case(ignore, case=case)
    assert [(each["modality"], each["slices"], each["can_open"]) for each in rows] == [
        ("CT", 4, True),
        ("CT", 12, True),
    ]
    assert [each["is_first"] for each in rows] == [False, True]
    case["series"] = rows[0]["uid"]
    assert [each["is_first"] for each in list_series_of_case(ignore, case=case)] == [True, False]


def test_each_volume_of_a_4d_scan_is_a_case(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 900, (8, 8, 6, 3)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "phases.nii.gz")
    found = list_cases(ignore, path=str(tmp_path))["cases"]
    assert [(each["name"], each["volume"]) for each in found] == [
        (f"phases/volume_0{number}", number) for number in (1, 2, 3)
    ]


def test_a_folder_around_everything_names_the_case(tmp_path: Path) -> None:
    save(tmp_path / "upload", [])
    save(tmp_path / "upload" / "CT abdomen", clinical_series())
    found = list_upload(ignore, folder=str(tmp_path / "upload"), **LIMITS)
    assert [each["name"] for each in found["cases"]] == ["CT abdomen"]


def test_an_archive_is_known_by_its_content_and_replaced_by_a_folder(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/scan.nii", b"x" * 400)
        archive.writestr("b/scan.nii", b"y" * 400)
    (tmp_path / "export").write_bytes(content.getvalue())
    found = list_upload(ignore, folder=str(tmp_path), **LIMITS)
    assert [each["name"] for each in found["cases"]] == ["a/scan", "b/scan"]
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert (tmp_path / "export").is_dir()


@pytest.mark.parametrize("content", [b"PK\x03\x04 not an archive", b"PK\x05\x06" + bytes(18)])
def test_a_corrupt_or_empty_archive_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ScanError, match=r"zip archive|no file that can be used"):
        list_upload(ignore, folder=str(tmp_path), **LIMITS)


@pytest.mark.parametrize(
    "limits", [{"max_bytes": 1000, "max_files": 9}, {"max_bytes": 2**20, "max_files": 3}]
)
def test_limits_are_those_of_all_archives_and_files_together(
    tmp_path: Path, limits: dict[str, int]
) -> None:
    (tmp_path / "plain.nii").write_bytes(b"z" * 100)
    for name in "ab":
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("one.nii", b"x" * 300)
            archive.writestr("two.nii", b"y" * 200)
    with pytest.raises(ScanError, match="the zip archive declares 2 files"):
        list_upload(ignore, folder=str(tmp_path), **limits)
    sizes = [path.stat().st_size for path in tmp_path.rglob("*.nii")]
    assert sum(sizes) <= limits["max_bytes"]
    assert len(sizes) <= limits["max_files"]
