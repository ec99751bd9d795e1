"""The HU window of a dataset spans its labelled voxels, patient by patient, and is stored with the weights."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.foreground_window import foreground_window_hu
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError


def write(folder: Path, patient: str, liver_hu: tuple[float, float], side: int) -> None:
    """A CT of fat in air, and a liver whose HU are spread evenly over a range."""
    values = np.full((40, 40, 6), -1000, np.int16)
    values[4:36, 4:36] = -100
    labels = np.zeros(values.shape, np.uint8)
    labels[8 : 8 + side, 8 : 8 + side] = 1
    values[labels > 0] = np.linspace(*liver_hu, int(labels.sum())).round()
    for name, array in (("images", values), ("labels", labels)):
        path = folder / name / f"{patient}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.diag([8.0, 8.0, 10.0, 1.0])), path)


def config(folder: Path, **more: object) -> DataConfig:
    source = {
        "name": "CT",
        "kind": "volumes",
        "dataset": "a",
        "images": "images",
        "labels": "labels",
    }
    return DataConfig.model_validate(
        {
            "root": str(folder),
            "sources": [{**source, "modality": "CT", **more}],
            "splits": {"a": {"val": ["9"]}},
        }
    )


def test_the_window_spans_the_labelled_voxels_of_training_patients(tmp_path: Path) -> None:
    write(tmp_path, "1", (0, 200), side=20)
    write(tmp_path, "9", (1000, 2000), side=20)  # validation
    low, high = foreground_window_hu(SourceFiles(config(tmp_path)))
    assert (low, high) == pytest.approx((1, 199), abs=1)


def test_a_large_liver_counts_no_more_than_a_small_one(tmp_path: Path) -> None:
    write(tmp_path, "1", (100, 100), side=26)
    write(tmp_path, "2", (40, 40), side=3)
    low, high = foreground_window_hu(SourceFiles(config(tmp_path)))
    assert (low, high) == (40, 100)


def test_the_cache_gives_the_same_window(tmp_path: Path) -> None:
    write(tmp_path, "1", (0, 200), side=20)
    cached = config(tmp_path).model_copy(update={"cache": str(tmp_path / "cache")})
    found = {foreground_window_hu(SourceFiles(each)) for each in (config(tmp_path), cached, cached)}
    assert len(found) == 1


def test_data_without_hounsfield_units_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "1", (0, 200), side=20)
    with pytest.raises(
        ConfigError, match="no labelled voxel of the training data is in Hounsfield"
    ):
        foreground_window_hu(SourceFiles(config(tmp_path, modality="MR")))
