"""Augmentation: image and label move together, and grey values stay in [0, 1]."""

import pytest
import torch

from rma_mamba.datasets.augment import training_transform, validation_transform
from rma_mamba.datasets.config import AugmentConfig
from rma_mamba.datasets.slices import Sample

SIDE = 64


def sample(side: int = SIDE) -> Sample:
    """A liver of 0.5 on a body of 0.25, both brighter to the back."""
    label = torch.zeros(3, side, side)
    label[:, side // 4 : side // 2, side // 4 : side // 2] = 1
    ramp = torch.linspace(0, 0.1, side)[:, None]
    return {"image": 0.2 + ramp + 0.25 * label, "label": label}


def run(config: AugmentConfig, seed: int = 0, side: int = SIDE, crop: int = SIDE) -> Sample:
    transform = training_transform(config, crop)
    transform.set_random_state(seed=seed)
    return transform(sample(side))  # type: ignore[no-any-return]


def test_the_default_changes_nothing() -> None:
    out = run(AugmentConfig())
    torch.testing.assert_close(out["image"], sample()["image"])
    assert torch.equal(out["label"], sample()["label"][1:2])


@pytest.mark.parametrize("side", [40, 64, 100])
def test_every_sample_leaves_with_the_side_of_the_crop(side: int) -> None:
    for config in (AugmentConfig(), AugmentConfig(spatial=1, rotation_degrees=30, shift=0.1)):
        out = run(config, side=side)
        assert out["image"].shape == (3, SIDE, SIDE)
        assert out["label"].shape == (1, SIDE, SIDE)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(spatial=1, rotation_degrees=40, scale=(0.7, 1.4), shear=0.1, shift=0.1),
        AugmentConfig(rotation=1, rotation_degrees=35),
        AugmentConfig(horizontal_flip=1),
        AugmentConfig(vertical_flip=1),
    ],
)
def test_the_label_moves_with_the_image(config: AugmentConfig, seed: int) -> None:
    out = run(config, seed)
    bright = out["image"][1] > 0.375
    label = out["label"][0] > 0
    assert label.any()
    overlap = 2 * (bright & label).sum() / (bright.sum() + label.sum())
    assert overlap > 0.97


@pytest.mark.parametrize(("scale", "larger"), [((1.3, 1.3), True), ((0.75, 0.75), False)])
def test_a_scale_above_one_magnifies(scale: tuple[float, float], larger: bool) -> None:
    area = float(run(AugmentConfig(spatial=1, scale=scale))["label"].sum())
    assert (area > 1.4 * 256) if larger else (area < 0.7 * 256)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "name",
    [
        "cut_outs", "liver_contrast", "lesions", "inversion", "histogram", "gamma", "window",
        "bias_field", "noise", "blur", "low_resolution",
    ],
)  # fmt: skip
def test_a_change_of_grey_values_leaves_the_label_and_the_range(name: str, seed: int) -> None:
    out = run(AugmentConfig(**{name: 1}), seed)
    assert torch.equal(out["label"], sample()["label"][1:2])
    assert out["image"].min() >= 0
    assert out["image"].max() <= 1
    assert not torch.allclose(out["image"], sample()["image"], atol=1e-4)


@pytest.mark.parametrize("name", ["liver_contrast", "lesions"])
def test_disease_changes_the_liver_and_not_the_body(name: str) -> None:
    out = run(AugmentConfig(**{name: 1}), seed=1)["image"]
    far = torch.ones(SIDE, SIDE, dtype=torch.bool)
    far[SIDE // 4 - 3 : SIDE // 2 + 3, SIDE // 4 - 3 : SIDE // 2 + 3] = False
    torch.testing.assert_close(out[:, far], sample()["image"][:, far])


def test_validation_only_pads_or_crops() -> None:
    out = validation_transform(96)(sample())
    assert out["image"].shape == (3, 96, 96)
    torch.testing.assert_close(out["image"][:, 16:80, 16:80], sample()["image"])
    assert out["label"].sum() == sample()["label"][1].sum()
