"""A file appears complete or not at all, and a failure is a typed error without a path in it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.files import (
    atomic_write,
    check_writable,
    remove_unfinished,
    replace_file,
    write_together,
)
from rma_mamba.scans import write_mask
from rma_mamba.volume import Geometry, Mask

MASK = Mask(np.ones((3, 4, 5), np.uint8), Geometry((3, 4, 5), np.eye(4)))


def test_a_complete_file_replaces_the_existing_one(tmp_path: Path) -> None:
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
def test_after_any_failure_the_existing_file_is_unchanged_and_nothing_is_left(
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


def test_impossible_output_paths_are_scan_errors(tmp_path: Path) -> None:
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


def write_several(
    folder: Path, names: Iterable[str], failure: type[BaseException] | BaseException | None = None
) -> None:
    with write_together("results") as place:
        for name in names:
            place(folder / name).write_text("new")
        if failure is not None:
            raise failure


def test_several_files_replace_existing_ones_together(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "mask").write_text("old mask")
    with write_together("results", last=folder / "run") as place:
        for name in ("run", "mask", "preview"):
            place(folder / name).write_text(f"new {name}")
        assert (folder / "mask").read_text() == "old mask"
        assert not (folder / "run").exists()
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == {name: f"new {name}" for name in ("run", "mask", "preview")}


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, MemoryError])
def test_after_a_failure_none_of_several_files_is_new(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    (tmp_path / "mask").write_text("old")
    with pytest.raises(failure):
        write_several(tmp_path, ("mask", "preview"), failure)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mask", "old")]


@pytest.mark.parametrize("links", [True, False])
def test_a_failure_during_the_renames_restores_the_existing_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "z" / "folder").mkdir(parents=True)  # a file cannot take its place
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(ScanError, match="the results cannot be written"):
        write_several(tmp_path, "abz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "z"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing"):
        write_several(tmp_path / "case", ("mask",), ValueError("nothing"))
    assert list(tmp_path.iterdir()) == []


KILLED = """
import signal, sys, time
from pathlib import Path
from rma_mamba.cli.interrupts import interruptible
from rma_mamba.files import atomic_write, write_together
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells switch it off in background jobs
with interruptible(), write_together("results") as place:
    place(Path(sys.argv[1]) / "mask").write_text("half")
    with atomic_write(Path(sys.argv[1]) / "list", "list") as file:
        file.write(b"half")
        print("writing", flush=True)
        time.sleep(60)
"""


def killed(folder: Path, number: signal.Signals) -> list[str]:
    """Kill a process while it writes; the names of what was there before that."""
    command = [sys.executable, "-c", KILLED, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        remove_unfinished(folder)  # what a living process writes stays
        there = sorted(path.name for path in folder.iterdir())
        process.send_signal(number)
        process.communicate()
    return there


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_process_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    assert len(killed(tmp_path, number)) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mask").write_text("old")
    there = killed(tmp_path, signal.SIGKILL)
    assert len(there) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == there
    remove_unfinished(tmp_path, min_age_s=3600)
    assert sorted(path.name for path in tmp_path.iterdir()) == there
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mask"]
    remove_unfinished(tmp_path / "missing")


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


def test_a_file_in_folders_that_do_not_exist_can_be_written(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "c.json")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="is a folder"):
        check_writable(tmp_path)
