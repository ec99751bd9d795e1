"""LiTS and MSD Task03."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from indexed_cases import liver
from layouts import (
    scan,
    write_lits,
    write_msd,
)
from rma_mamba.datasets.layouts import (
    LayoutOptions,
    open_dataset,
)

WRITERS = {"lits": write_lits, "msd-liver": write_msd}


@pytest.mark.parametrize(("name", "numbers"), [("lits", "0 30 130"), ("msd-liver", "3 31 99")])
def test_the_split_is_by_case_number(tmp_path: Path, name: str, numbers: str) -> None:
    dataset = open_dataset(name, WRITERS[name](tmp_path))
    assert [each.name for each in dataset.cases] == numbers.split()
    assert [each.split for each in dataset.cases] == ["test", "val", "train"]


def test_the_liver_includes_the_tumour_unless_excluded(tmp_path: Path) -> None:
    root = write_lits(tmp_path)
    whole = liver(open_dataset("lits", root).cases[0])
    without = liver(open_dataset("lits", root, LayoutOptions(liver=(1,))).cases[0])
    assert np.array_equal(whole, scan(0)[1])
    assert whole.sum() - without.sum() == 9


def test_volumes_behind_links_are_listed_once_and_links_in_circles_end(tmp_path: Path) -> None:
    for folder, number in (("data/batch 1", 40), ("elsewhere", 41), ("data/__MACOSX", 42)):
        (tmp_path / folder).mkdir(parents=True)
        for kind in ("volume", "segmentation"):
            (tmp_path / folder / f"{kind}-{number}.nii").write_bytes(b"")
    (tmp_path / "data" / "batch 2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "all").symlink_to(tmp_path / "data")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path)
    (tmp_path / "data" / "volume-43.nii").symlink_to("nowhere")
    dataset = open_dataset("lits", tmp_path / "data")
    assert [case.name for case in dataset.cases] == ["40", "41", "43"]
    assert [len(case.labels) for case in dataset.cases] == [1, 1, 0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Training Batch 1/volume-0.nii", "Training Batch 2/volume-0.nii"),
        ("Training Batch 1/volume-0.nii", "Training Batch 1/volume-00.nii"),
        ("Training Batch 1/segmentation-0.nii", "other/segmentation-0.nii"),
    ],
)
def test_a_second_file_of_a_number_is_a_fault(tmp_path: Path, old: str, new: str) -> None:
    root = write_lits(tmp_path)
    (root / new).parent.mkdir(exist_ok=True)
    shutil.copy(root / old, root / new)
    dataset = open_dataset("lits", root)
    assert [fault.cases for fault in dataset.faults] == [("0",)]
    assert "there are 2" in dataset.faults[0].text
    assert [each.name for each in dataset.cases] == ["0", "30", "130"]
    assert dataset.irregularities == ()


def test_a_label_without_an_image_is_reported_once(tmp_path: Path) -> None:
    root = write_lits(tmp_path)
    (root / "Training Batch 1" / "volume-0.nii").unlink()
    dataset = open_dataset("lits", root)
    assert dataset.irregularities == ("1 label without an image: skipped.",)
