"""Folders are found where unzipping puts them, in natural order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layouts import (
    write_cirrmri,
)
from rma_mamba.datasets.layouts import (
    open_dataset,
)
from rma_mamba.datasets.layouts.listing import find_folder, scan_files, subfolders


@pytest.mark.parametrize("given", [".", "Cirrhosis_T1_3D", "Cirrhosis_T1_3D/Cirrhosis_T1_3D"])
def test_a_folder_doubled_by_unzipping_is_found(tmp_path: Path, given: str) -> None:
    dataset = open_dataset("cirrmri600", write_cirrmri(tmp_path) / given, sequences=["t1"])
    assert [each.sequence for each in dataset.cases] == ["T1"] * 8


def test_numbers_in_names_are_sorted_by_value_and_hidden_files_skipped(tmp_path: Path) -> None:
    for name in ("z10.nii", "z2.nii.gz", "z1.NII", "._z3.nii", "z4.png", "z5.txt"):
        (tmp_path / name).write_text("")
    assert list(scan_files(tmp_path)) == ["z1", "z2", "z10"]
    assert list(scan_files(tmp_path, (".png",))) == ["z4"]
    assert scan_files(tmp_path / "missing") == {}


def test_a_folder_is_found_by_its_contents_up_to_three_levels_down(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "Name" / "images").mkdir(parents=True)
    found = tmp_path / "a" / "b" / "Name"
    assert find_folder(tmp_path, ["Name"], ["images", "labels"]) == found
    assert find_folder(found, ["Name"], ["images"]) == found
    assert find_folder(tmp_path, ["Name"], ["labels"]) is None
    assert [path.name for path in subfolders(tmp_path)] == ["a"]


def test_folders_of_operating_systems_are_not_folders_of_a_dataset(tmp_path: Path) -> None:
    for folder in ("__MACOSX/Name/images", "data/Name/images", ".Trash/Name/images"):
        (tmp_path / folder).mkdir(parents=True)
    assert find_folder(tmp_path, ["Name"], ["images"]) == tmp_path / "data" / "Name"
    assert [path.name for path in subfolders(tmp_path)] == ["data"]


def test_links_that_lead_nowhere_are_files_and_folders_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.nii").symlink_to("nowhere")
    (tmp_path / "b.nii").mkdir()
    assert list(scan_files(tmp_path)) == ["a"]


def test_names_that_are_not_utf_8_become_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"gr\xf6.nii")
    path.write_bytes(b"")
    assert scan_files(tmp_path) == {"gr\\udcf6": path}
