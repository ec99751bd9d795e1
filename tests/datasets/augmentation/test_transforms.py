"""Augmentation changes image and label together and keeps intensities in [0, 1]."""

import pytest
import torch

from augmentations import SIDE, augmented, sample
from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.transforms import validation_transform


def test_the_defaults_change_nothing() -> None:
    out = augmented(AugmentConfig())
    torch.testing.assert_close(out["image"], sample()["image"])
    assert torch.equal(out["label"], sample()["label"][1:2])


@pytest.mark.parametrize("side", [40, 64, 100])
def test_every_sample_has_the_crop_size(side: int) -> None:
    for config in (AugmentConfig(), AugmentConfig(spatial=1, rotation_degrees=30, shift=0.1)):
        out = augmented(config, side=side)
        assert out["image"].shape == (3, SIDE, SIDE)
        assert out["label"].shape == (1, SIDE, SIDE)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(spatial=1, rotation_degrees=40, scale=(0.7, 1.4), shear=0.1, shift=0.1),
        AugmentConfig(spatial=1, elastic=0.05),
        AugmentConfig(rotation=1, rotation_degrees=35),
        AugmentConfig(horizontal_flip=1),
        AugmentConfig(vertical_flip=1),
    ],
)
def test_the_label_moves_with_the_image(config: AugmentConfig, seed: int) -> None:
    out = augmented(config, seed)
    bright = out["image"][1] > 0.375
    label = out["label"][0] > 0
    assert label.any()
    overlap = 2 * (bright & label).sum() / (bright.sum() + label.sum())
    assert overlap > 0.97


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "name",
    [
        "cut_outs", "tissue_contrast", "liver_contrast", "lesions", "inversion", "histogram", "gamma", "window",
        "bias_field", "noise", "blur", "low_resolution",
    ],
)  # fmt: skip
def test_intensity_transforms_keep_the_label_and_the_range(name: str, seed: int) -> None:
    out = augmented(AugmentConfig(**{name: 1}), seed)
    assert torch.equal(out["label"], sample()["label"][1:2])
    assert out["image"].min() >= 0
    assert out["image"].max() <= 1
    assert not torch.allclose(out["image"], sample()["image"], atol=1e-4)


def test_validation_samples_are_only_padded_or_cropped() -> None:
    out = validation_transform(96)(sample())
    assert out["image"].shape == (3, 96, 96)
    torch.testing.assert_close(out["image"][:, 16:80, 16:80], sample()["image"])
    assert out["label"].sum() == sample()["label"][1].sum()
