"""A watched folder: what has stopped growing is segmented once, and again when it has changed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from archive import receiver
from quick_node import study
from rma_mamba.errors import BackendError, ConfigError
from rma_mamba.pipeline.cached_segmenter import cached_segmenter
from rma_mamba.pipeline.messages import NoMessages
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.server.node import node
from rma_mamba.server.node.config import DestinationConfig
from rma_mamba.server.node.folder_listing import LOOSE, FolderListing
from rma_mamba.server.node.watched_folder import WatchOptions, watch


class SameProcess:
    """In place of the isolated process: it has the network of tests."""

    def call(self, task: Callable[..., Any], *arguments: Any) -> Any:
        return task(*arguments, lambda done, total: None)

    def stop(self) -> None:
        pass


class Notes(NoMessages):
    """Keeps what was printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def fail(self, text: str) -> None:
        self.lines.append(f"error: {text}")


@pytest.fixture
def watched(
    segmenter: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, list[str]]]:
    """Watch `in` until everything is done; the number of failures, and what was printed."""
    monkeypatch.setattr(node, "IsolatedProcess", SameProcess)
    monkeypatch.setattr("rma_mamba.pipeline.cached_segmenter._segmenters", {})
    (tmp_path / "in").mkdir()

    def run(**changes: Any) -> tuple[int, list[str]]:
        request = SegmentRequest(outputs=changes.pop("outputs", ()), resume=True)
        settings = {"quiet_s": 0.2, "poll_s": 0.05, "once": True, **changes}
        folders = (
            (Path("in"), Path("out"))
            if Path("in").is_dir()
            else (tmp_path / "in", tmp_path / "out")
        )
        options = WatchOptions(*folders, request, **settings)
        notes = Notes()
        return watch(options, notes, threading.Event()), notes.lines

    return run


def nifti(path: Path, bright: int = 1000) -> Path:
    values = np.full((24, 20, 8), 100, dtype=np.int16)
    values[8:16, 6:11, 2:6] = bright
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 5.0, 1.0])), path)
    return path


def results(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("liver*"))


def test_files_folders_pairs_and_loose_slices_are_segmented(watched, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    nifti(folder / "one.nii.gz")
    nifti(folder / "cohort" / "a.nii.gz")
    nifti(folder / "cohort" / "b.nii")
    study(folder / "series")
    for file in study(tmp_path / "loose"):
        shutil.move(file, folder / f"loose_{file.name}")
    pair = SimpleITK.GetImageFromArray(np.full((6, 8, 8), 700, np.int16))
    SimpleITK.WriteImage(pair, folder / "pair.mhd")
    (folder / "notes.txt").write_text("call Dr. Roe")
    failed, lines = watched()
    assert failed == 0, lines
    *known, loose = results(tmp_path / "out")
    assert known == [
        "cohort/a/liver.nii.gz",
        "cohort/b/liver.nii.gz",
        "one/liver.nii.gz",
        "pair/liver.nii.gz",
        "series/liver.nii.gz",
    ]
    assert loose.startswith("study_")
    assert lines.count("[6] done") == 1
    assert not (tmp_path / "out" / "errors.jsonl").exists()


def errors(folder: Path) -> dict[str, str]:
    """The messages of errors.jsonl by case; none without the file."""
    path = folder / "out" / "errors.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return {each["case"]: each["message"] for each in map(json.loads, lines)}


def test_scans_whose_names_differ_only_in_suffix_are_problems_of_both(
    watched, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    scan = nifti(folder / "p1.nii.gz")
    SimpleITK.WriteImage(SimpleITK.ReadImage(scan), folder / "p1.nrrd")
    nifti(folder / "P2.nii")
    nifti(folder / "p2.nii.gz")
    study(folder / "p3")
    nifti(folder / "p3.nii.gz")
    nifti(folder / "cohort" / "a.nii.gz")
    nifti(folder / "cohort" / "a.nii")
    nifti(folder / "cohort" / "b.nii")
    failed, _ = watched()
    assert results(tmp_path / "out") == ["cohort/b/liver.nii.gz"]
    found = errors(tmp_path)
    assert sorted(found) == [
        *("P2.nii", "cohort/a.nii", "cohort/a.nii.gz", "p1.nii.gz", "p1.nrrd"),
        *("p2.nii.gz", "p3", "p3.nii.gz"),
    ]
    assert failed == len(found)
    assert found["p1.nrrd"].startswith("p1.nii.gz and p1.nrrd have names that differ only in suf")
    assert found["p3"] == found["p3.nii.gz"]
    for old, new in (("p1.nrrd", "p4.nrrd"), ("p3.nii.gz", "p5.nii.gz"), ("P2.nii", "p6.nii")):
        (folder / old).rename(folder / new)
    assert watched()[0] == 2
    assert results(tmp_path / "out") == [
        "cohort/b/liver.nii.gz",
        *(f"p{number}/liver.nii.gz" for number in range(1, 7)),
    ]


def test_both_files_of_a_pair_are_one_scan(watched, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    values = np.full((24, 20, 8), 100, dtype=np.int16)
    values[8:16, 6:11, 2:6] = 1000
    nib.save(nib.Nifti1Pair(values, np.diag([2.0, 2.0, 5.0, 1.0])), folder / "one.img")
    image = SimpleITK.GetImageFromArray(values)
    SimpleITK.WriteImage(image, folder / "two.mhd")
    SimpleITK.WriteImage(image, folder / "three.nhdr")
    failed, lines = watched()
    assert (failed, errors(tmp_path)) == (0, {}), lines
    assert [path.split("/")[0] for path in results(tmp_path / "out")] == ["one", "three", "two"]


def test_the_extra_is_needed_only_to_send(watched, monkeypatch, tmp_path: Path) -> None:
    for name in ("prometheus_client", "pynetdicom", "dicomweb_client"):
        monkeypatch.setitem(sys.modules, name, None)
    nifti(tmp_path / "in" / "scan.nii.gz")
    assert watched()[0] == 0
    archive = DestinationConfig(ae_title="PACS", host="127.0.0.1", port=9)
    with pytest.raises(BackendError, match="the extra 'dicom'"):
        watched(destinations=(archive,))


def test_a_scan_is_segmented_once_and_again_after_a_change(watched, tmp_path: Path) -> None:
    scan = nifti(tmp_path / "in" / "scan.nii.gz")
    assert watched() == (0, ["The folder is watched. Stop it with Ctrl-C.", "[1] done"])
    mask = tmp_path / "out" / "scan" / "liver.nii.gz"
    first = mask.stat().st_mtime_ns
    assert watched()[1] == ["The folder is watched. Stop it with Ctrl-C."]
    assert mask.stat().st_mtime_ns == first
    nifti(scan, bright=50)
    assert watched()[1][1:] == ["[1] done"]
    assert not np.asarray(nib.load(mask).dataobj).any()


def test_results_and_masks_beside_the_scans_are_not_scans(watched, tmp_path: Path) -> None:
    scan = nifti(tmp_path / "in" / "scan.nii.gz")
    mask = nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4))
    nib.save(mask, scan.with_name("mask.nii.gz"))
    (tmp_path / "in" / "results").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "in" / "results")
    assert watched()[0] == 0
    assert watched()[1][1:] == []
    assert results(tmp_path / "in") == ["results/scan/liver.nii.gz"]


def test_what_cannot_be_segmented_is_listed_and_forgotten_when_it_is_repaired(
    watched, tmp_path: Path
) -> None:
    nifti(tmp_path / "in" / "good.nii.gz")
    bad = tmp_path / "in" / "Doe_John.nii.gz"
    bad.write_bytes(b"not a scan")
    failed, lines = watched()
    assert failed == 1
    assert "John" not in " ".join(lines)
    errors = tmp_path / "out" / "errors.jsonl"
    [record] = map(json.loads, errors.read_text().splitlines())
    assert record["case"] == "Doe_John"
    assert "expected" in record["message"]
    assert watched()[0] == 1  # a new start is a new attempt
    nifti(bad)
    assert watched()[0] == 0
    assert not errors.exists()


def test_a_scan_that_is_removed_is_no_longer_an_error(watched, tmp_path: Path) -> None:
    nifti(tmp_path / "in" / "good.nii.gz")
    bad = tmp_path / "in" / "bad.nii.gz"
    bad.write_bytes(b"not a scan")
    assert watched()[0] == 1
    bad.unlink()
    failed, lines = watched()
    assert (failed, lines[1:]) == (0, [])
    assert not (tmp_path / "out" / "errors.jsonl").exists()


def test_a_copy_that_was_given_up_is_listed(watched, tmp_path: Path) -> None:
    nifti(tmp_path / "in" / "good.nii.gz")
    (tmp_path / "in" / "READY").touch()  # empty, but not a scan
    study(tmp_path / "in", slices=3)
    (tmp_path / "in" / "scan.nii.gz.part").write_bytes(b"half a scan")
    failed, _ = watched()
    assert failed == 1
    [record] = map(json.loads, (tmp_path / "out" / "errors.jsonl").read_text().splitlines())
    assert record["case"] == "scan"
    assert "Finish copying" in record["message"]
    assert len(results(tmp_path / "out")) == 2


def test_results_are_sent_once_from_wherever_the_command_runs(
    watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path / "in" / "series")
    monkeypatch.chdir(tmp_path)
    with receiver() as found:
        archive = DestinationConfig(ae_title="PACS", host="127.0.0.1", port=found.port)
        for _ in range(2):
            assert watched(outputs=("dicom_seg", "dicom_sr"), destinations=(archive,))[0] == 0
        assert list(found.counts.values()) == [1, 1]
        assert results(tmp_path / "out") == ["series/liver_seg.dcm", "series/liver_sr.dcm"]


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    options = WatchOptions(tmp_path / "missing", tmp_path / "out", SegmentRequest())
    with pytest.raises(ConfigError, match="does not exist"):
        watch(options, NoMessages(), threading.Event())


def test_the_network_is_loaded_before_the_first_scan(watched, segmenter, tmp_path: Path) -> None:
    watched()
    assert segmenter.loads == 1
    cached_segmenter(SegmentRequest().network)
    assert segmenter.loads == 1


def listing(folder: Path) -> FolderListing:
    found = FolderListing(folder, folder / "out")
    found.update()
    return found


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"content")


def test_files_that_belong_together_form_a_group(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "a.b.nii.gz", "c.mhd", "c.raw", "IM1", "IM2", "p/x/1", "p/2")
    touch(tmp_path, ".hidden", ".d/3", "out/a/liver.nii.gz", "d.nii.gz.part", "Thumbs.db")
    groups = {name: sorted(group.files) for name, group in listing(tmp_path).groups.items()}
    assert groups == {
        "a": ["a.nii.gz"],
        "a.b": ["a.b.nii.gz"],
        "c": ["c.mhd", "c.raw"],
        "d": ["d.nii.gz.part"],
        "p/": ["p/2", "p/x/1"],
        LOOSE: ["IM1", "IM2", "Thumbs.db"],
    }


@pytest.mark.parametrize("change", ["grows", "is added", "is removed", "is touched"])
def test_a_change_starts_the_wait_again(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    touch(tmp_path, "p/1", "p/2", "other.nii")
    found = listing(tmp_path)
    now += 5
    found.update()
    assert found.groups["p/"].quiet_s == 5
    if change == "grows":
        with (tmp_path / "p" / "1").open("ab") as file:
            file.write(b"more")
    elif change == "is added":
        touch(tmp_path, "p/3")
    elif change == "is removed":
        (tmp_path / "p" / "1").unlink()
    else:
        os.utime(tmp_path / "p" / "1", (0, 0))
    before = found.groups["p/"].signature()
    found.update()
    assert found.groups["p/"].quiet_s == 0
    assert found.groups["p/"].signature() != before
    assert found.groups["other"].quiet_s == 5


def test_a_file_with_a_temporary_name_or_without_content_is_still_growing(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz.part", "p/1.dcm", "p/2.dcm.filepart", "q/1.dcm")
    (tmp_path / "c.nii").touch()
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "READY").touch()
    growing = {name for name, group in listing(tmp_path).groups.items() if group.is_growing}
    assert growing == {"b", "c", "p/"}
