"""Scans in an upload, with and without archives; the limits are those of the whole upload."""

import io
import os
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.errors import ScanError
from rma_mamba.pipeline.isolated_process import DiskFullError
from rma_mamba.server.upload_search import list_upload

LIMITS = {"max_bytes": 2**24, "max_files": 100, "max_ratio": 200}
MIB = 2**20


def ignore(*_: object) -> None:
    """Discard progress."""


def zipped(path: Path, **members: bytes) -> None:
    """An archive with some files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.nii", content)


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
    "limits", [{"max_bytes": 1000, "max_files": 9}, {"max_bytes": 2**20, "max_files": 4}]
)
def test_limits_are_those_of_all_archives_and_files_together(
    tmp_path: Path, limits: dict[str, int]
) -> None:
    (tmp_path / "plain.nii").write_bytes(b"z" * 100)
    for name in "ab":
        zipped(tmp_path / f"{name}.zip", one=b"x" * 300, two=b"y" * 200)
    with pytest.raises(ScanError, match="the zip archives declare 1e-06 GB in 4 files"):
        list_upload(ignore, folder=str(tmp_path), **{**LIMITS, **limits})
    assert {path.name for path in tmp_path.iterdir()} == {"plain.nii", "a.zip", "b.zip"}


def test_many_small_archives_are_a_zip_bomb_as_one_large_one_is(tmp_path: Path) -> None:
    for number in range(3):
        zipped(tmp_path / f"{number}.zip", zeros=bytes(30 * MIB))
    limits = {**LIMITS, "max_bytes": 2**30}
    with pytest.raises(ScanError, match=r"declare 0.1 GB in 0.1 MB; expected scans"):
        list_upload(ignore, folder=str(tmp_path), **limits)
    (tmp_path / "2.zip").unlink()  # less than 64 MiB in all
    assert len(list_upload(ignore, folder=str(tmp_path), **limits)["cases"]) == 2


@pytest.mark.parametrize("free", [[256 * MIB + 500], [2**40, 256 * MIB - 1]])
def test_what_does_not_fit_on_the_disk_is_not_extracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: list[int]
) -> None:
    """Neither if that is known before, nor if another upload takes the space meanwhile."""
    zipped(tmp_path / "a.zip", one=os.urandom(600))
    answers = iter(free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(answers)))
    with pytest.raises(DiskFullError, match="not enough free space"):
        list_upload(ignore, folder=str(tmp_path), **LIMITS)
    assert not any(path.stat().st_size for path in tmp_path.rglob("*.nii"))


def test_an_archive_keeps_its_suffix_beside_a_file_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"z" * 400)
    zipped(tmp_path / "a.zip", one=b"x" * 400)
    list_upload(ignore, folder=str(tmp_path), **LIMITS)
    assert (tmp_path / "a").is_file()
    assert (tmp_path / "a.zip" / "one.nii").is_file()
