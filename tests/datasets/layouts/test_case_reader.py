"""Images and labels of a case are read in LPS order."""

from pathlib import Path

import numpy as np
import pytest

from indexed_cases import case_named
from layouts import SHAPE, scan, write_chaos, write_cirrmri, write_folders
from rma_mamba.datasets.layouts import open_dataset
from rma_mamba.datasets.layouts.case_reader import read_geometries, read_images
from rma_mamba.errors import ScanError


def test_a_volume_keeps_its_intensities_and_label(tmp_path: Path) -> None:
    (read,) = read_images(open_dataset("folders", write_folders(tmp_path, 1)).cases[0])
    values, liver = scan(0)
    assert read.orientation == "LPS"
    assert read.label is not None
    assert np.array_equal(read.image.values, values)
    assert np.array_equal(read.label.values, liver)


def test_the_grid_is_read_from_the_header_alone(tmp_path: Path) -> None:
    dataset = open_dataset("cirrmri600", write_cirrmri(tmp_path))
    volume, slices = (case_named(dataset, name) for name in ("T2/train/0001", "T2 2D/train/0001"))
    (grid,) = read_geometries(volume)
    (read,) = read_images(volume)
    assert grid.matches(read.image.geometry)
    assert grid.shape == SHAPE
    assert read_geometries(slices) == ()


def test_slices_are_read_one_by_one_and_may_lack_a_mask(tmp_path: Path) -> None:
    root = write_cirrmri(tmp_path)
    (root / "Cirrhosis_T2_2D/train/0001/masks/3.png").unlink()
    read = list(read_images(case_named(open_dataset("cirrmri600", root), "T2 2D/train/0001")))
    assert [each.label is None for each in read] == [number == 3 for number in range(SHAPE[2])]
    assert {each.image.geometry.shape for each in read} == {(*SHAPE[:2], 1)}


def test_the_modality_of_the_dataset_overrides_the_header(tmp_path: Path) -> None:
    for case in open_dataset("chaos", write_chaos(tmp_path)).cases:
        (read,) = read_images(case)
        assert read.image.modality == case.modality


def test_a_corrupt_volume_is_an_error(tmp_path: Path) -> None:
    case = open_dataset("folders", write_folders(tmp_path, 1)).cases[0]
    case.images[0].write_bytes(b"not a scan")
    with pytest.raises(ScanError):
        list(read_images(case))
