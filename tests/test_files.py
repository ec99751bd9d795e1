"""A file appears complete or not at all, and a failure is a typed error without a path in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.errors import ScanError
from rma_mamba.files import atomic_write, replace_file, write_together
from rma_mamba.scans import write_mask
from rma_mamba.volume import Geometry, Mask

MASK = Mask(np.ones((3, 4, 5), np.uint8), Geometry((3, 4, 5), np.eye(4)))


def test_a_complete_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path, "mask") as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path, failure: type[BaseException]) -> None:
    with atomic_write(path, "mask") as file:
        file.write(b"half")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, MemoryError])
def test_after_any_failure_the_old_file_stands_and_nothing_is_left(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(failure):
        write_half(path, failure)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_scan_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ScanError, match="No space left on device") as caught:
        write_mask(MASK, tmp_path / "mask.nii.gz")
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs /dev/full, a device without space"
)
def test_a_device_without_space_is_a_scan_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode: usual(Path("/dev/full"), "wb"))
    with (
        pytest.raises(ScanError, match="cannot be written"),
        atomic_write(tmp_path / "f", "mask") as file,
    ):
        file.write(b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write into any folder")
def test_a_folder_without_permission_is_a_scan_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ScanError, match="Permission denied"):
            write_mask(MASK, tmp_path / "mask.nii")
    finally:
        tmp_path.chmod(0o700)


def test_outputs_that_cannot_be_are_scan_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.nii").mkdir()
    for path in ("file/mask.nii", "folder.nii", "x" * 300 + ".nii"):
        with pytest.raises(ScanError, match="cannot be written"):
            write_mask(MASK, tmp_path / path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "folder.nii"}


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_mask(MASK, tmp_path / "mask.nii")
    assert (tmp_path / "mask.nii").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_several_files_appear_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.nii.gz", tmp_path / "new" / "b.json"
    with write_together("outputs") as place:
        assert place(first).name.endswith(".nii.gz")
        assert place(first) == place(first)
        replace_file(place(first), b"1", "mask")
        replace_file(place(second), b"2", "table")
        assert not first.exists()
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.nii.gz", "b.json", "new"]


def put(paths: list[Path], in_the_way: Path | None = None) -> None:
    """Write files together; of a folder that comes in the way of one, and of None, something goes wrong."""
    with write_together("outputs") as place:
        for path in paths:
            replace_file(place(path), b"new", "mask")
        if in_the_way is None:
            raise ZeroDivisionError
        in_the_way.mkdir()
        (in_the_way / "file").touch()


def test_none_appears_if_one_cannot_be_written(tmp_path: Path) -> None:
    old = tmp_path / "a.nii"
    old.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        put([old])
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize("links", [True, False])
def test_older_files_come_back_if_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    old, fresh, folder = (tmp_path / name for name in ("a.nii", "b.nii", "c.nii"))
    old.write_bytes(b"old")
    with pytest.raises(ScanError, match="cannot be written"):
        put([old, fresh, folder], in_the_way=folder)
    assert old.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.nii", "c.nii"]
