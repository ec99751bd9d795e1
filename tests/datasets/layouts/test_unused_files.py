"""No file of a dataset is dropped silently."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from layouts import write_cirrmri, write_folders, write_lits, write_msd, write_nnunet
from rma_mamba.datasets.layouts import open_dataset


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_second_file_of_a_case_is_a_fault(tmp_path: Path, kind: str) -> None:
    root = write_folders(tmp_path, 2)
    packed = root / kind / "case_1.nii.gz"
    (root / kind / "case_1.nii").write_bytes(gzip.decompress(packed.read_bytes()))
    dataset = open_dataset("folders", root)
    assert [fault.cases for fault in dataset.faults] == [("case_1",)]
    assert "second file" in dataset.faults[0].text
    assert len(dataset.cases) == 2


@pytest.mark.parametrize(
    ("write", "layout", "place"),
    [
        (write_lits, "lits", "Training Batch 1/Volume-7.nii"),
        (write_msd, "msd-liver", "Task03_Liver/imagesTr/liver_x.nii.gz"),
    ],
)
def test_an_image_whose_name_has_another_form_is_reported(
    tmp_path: Path, write: Callable[[Path], Path], layout: str, place: str
) -> None:
    root = write(tmp_path)
    shutil.copy(open_dataset(layout, root).cases[0].images[0], root / place)
    dataset = open_dataset(layout, root)
    (sentence,) = dataset.irregularities
    assert sentence.startswith(f"1 image file without a case ({Path(place).name})")
    assert dataset.faults == ()


@pytest.mark.parametrize(
    ("write", "layout"), [(write_cirrmri, "cirrmri600"), (write_nnunet, "nnunet")]
)
def test_intact_datasets_have_no_unused_files(
    tmp_path: Path, write: Callable[[Path], Path], layout: str
) -> None:
    dataset = open_dataset(layout, write(tmp_path))
    assert (dataset.faults, dataset.irregularities) == ((), ())
