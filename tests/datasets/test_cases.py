"""Training cases: slices and labels on the network's canvas."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.datasets.cases import phantom_cases, read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.errors import ConfigError


def test_volumes_and_slices_are_in_radiological_orientation_on_the_canvas(
    config: DataConfig,
) -> None:
    volume, slices = read_cases(config, "val")
    assert volume.images.shape == volume.labels.shape == (5, 32, 32)
    assert volume.ordered
    assert not slices.ordered
    assert volume.labels.any(axis=(1, 2)).tolist() == [False, True, True, True, False]
    for case in (volume, slices):
        liver = case.labels > 0
        assert case.images[liver].mean() > case.images[~liver].mean() + 50
        assert np.argwhere(liver)[:, 2].mean() < 16  # the patient's right is on the left


def test_a_volume_has_its_organ_labels_and_slice_spacing(config: DataConfig, folder: Path) -> None:
    volume, slices = read_cases(config, "val")
    assert slices.tissues is None
    assert slices.gap_mm is None
    assert volume.tissues is not None
    assert np.array_equal(volume.tissues > 0, volume.labels > 0)
    path = sorted((folder / "volumes" / "labels").glob("*"))[1]
    image = nib.load(path)
    assert volume.gap_mm == pytest.approx(image.header.get_zooms()[2])
    values = np.asanyarray(image.dataobj).astype(np.uint8)
    values[values == 0] = 9
    nib.save(nib.Nifti1Image(values, image.affine), path)
    volume = read_cases(config, "val")[0]
    assert volume.tissues is not None
    assert 9 in volume.tissues
    assert np.array_equal(np.isin(volume.tissues, (0, 9)), volume.labels == 0)


def test_a_source_without_liver_is_rejected(config: DataConfig) -> None:
    wrong = [config.sources[0].model_copy(update={"liver": (3,)}), config.sources[1]]
    config = config.model_copy(update={"sources": tuple(wrong)})
    with pytest.raises(ConfigError, match=r"source volumes: no label of the train split .*value 3"):
        read_cases(config, "train")


def test_phantoms_are_cases(config: DataConfig) -> None:
    config = DataConfig.model_validate({**config.model_dump(), "phantoms": {"count": 1}})
    (case,) = phantom_cases(config)
    assert case.labels.any()
    assert case.ordered
