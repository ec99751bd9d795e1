"""Files of a study are found in all subfolders, in a stable order, up to a limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rma_mamba.errors import ScanError
from rma_mamba.scans import input_files
from rma_mamba.scans.input_files import files_below, from_path


def test_files_in_subfolders_are_sorted_by_name_and_links_are_followed_once(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/3", "0"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "broken").symlink_to(tmp_path / "missing")
    files = files_below(tmp_path)
    assert [file.base_name for file in files] == ["0", "3", "broken", "1", "2"]
    assert [file.is_missing for file in files] == [False, False, True, False, False]
    contents = [file.content().decode() for file in files if not file.is_missing]
    assert contents == ["0", "a/3", "b/1", "b/2"]
    assert [file.size for file in files] == [1, 3, 0, 3, 3]


def test_results_of_earlier_runs_are_left_out(tmp_path: Path) -> None:
    for name in ("IM1", "liver_seg.dcm", "case/liver.nii.gz", "case/IM2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for folder, result in ((tmp_path, "liver_seg.dcm"), (tmp_path / "case", "liver.nii.gz")):
        record = {"rma_mamba": "0.2.0", "files": {result: "0" * 64}}
        (folder / "run.json").write_text(json.dumps(record))
    assert [file.base_name for file in files_below(tmp_path)] == ["IM1", "IM2"]


def test_suffix_and_base_name_come_from_the_file_name(tmp_path: Path) -> None:
    path = tmp_path / "Doe" / "IM1.DCM"
    path.parent.mkdir()
    path.write_bytes(b"")
    file = from_path(path)
    assert (file.suffix, file.base_name, file.path) == (".dcm", "IM1.DCM", path)


def test_too_many_files_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(input_files, "MAX_FILES", 3)
    assert len(files_below(tmp_path)) == 3
    monkeypatch.setattr(input_files, "MAX_FILES", 2)
    with pytest.raises(ScanError, match="more than 2 files"):
        files_below(tmp_path)
