"""Augmentation: image and label move together, and grey values stay in [0, 1]."""

import pytest
import torch

from rma_mamba.datasets.augmentation.batch_crop import RandomBatchCrop
from rma_mamba.datasets.augmentation.config import AugmentConfig
from rma_mamba.datasets.augmentation.transforms import training_transform, validation_transform
from rma_mamba.datasets.slices import Sample

SIDE = 64


def sample(side: int = SIDE) -> Sample:
    """A liver of 0.5 on a body of 0.25, both brighter to the back."""
    label = torch.zeros(3, side, side)
    label[:, side // 4 : side // 2, side // 4 : side // 2] = 1
    ramp = torch.linspace(0, 0.1, side)[:, None]
    return {"image": 0.2 + ramp + 0.25 * label, "label": label, "tissues": label.byte()}


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
        AugmentConfig(spatial=1, elastic=0.05),
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
        "cut_outs", "tissue_contrast", "liver_contrast", "lesions", "inversion", "histogram", "gamma", "window",
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


def test_elastic_displacements_change_the_shape() -> None:
    label = run(AugmentConfig(spatial=1, elastic=0.05), seed=1)["label"]
    straight = run(AugmentConfig(spatial=1))["label"]
    assert torch.equal(straight, sample()["label"][1:2])
    assert (label != straight).sum() > 20


def test_organs_get_a_contrast_of_their_own() -> None:
    """Two organs that look alike differ, and each keeps the order or the reverse of its own grey values."""
    data = sample()
    data["tissues"] = data["label"].byte()
    data["tissues"][:, :, 24:] *= 7
    contrasts = []
    for seed in range(8):
        transform = training_transform(AugmentConfig(tissue_contrast=1), SIDE)
        transform.set_random_state(seed=seed)
        out = transform(dict(data))["image"][1]
        liver, other = out[18:30, 18:22].mean(), out[18:30, 26:30].mean()
        contrasts.append(float(liver - other))
    assert min(contrasts) < -0.1
    assert max(contrasts) > 0.1
    assert max(abs(each) for each in contrasts) > 0.3


def test_air_stays_dark() -> None:
    transform = training_transform(AugmentConfig(tissue_contrast=1), SIDE)
    for seed in range(5):
        transform.set_random_state(seed=seed)
        data = sample()
        data["image"][:, :, -16:] = 0
        assert transform(data)["image"][:, :, -10:].max() == 0


def test_a_batch_is_cut_to_one_of_the_canvases() -> None:
    samples = [run(AugmentConfig(), seed) for seed in range(3)]
    for each in samples:
        each["image"][:] = each["label"]
    sides, sums = set(), set()
    for draw in range(30):
        for each in samples:
            each["draw"] = torch.tensor(draw)
        batch = RandomBatchCrop((32, 64))(samples)
        assert batch["image"].shape[:2] == (3, 3)
        assert torch.equal(batch["image"][:, :1], batch["label"])
        sides.add(batch["label"].shape[-2:])
        sums.add(float(batch["label"].sum()))
    assert sides == {(32, 32), (64, 64)}
    assert len(sums) > 5  # at different places
    assert RandomBatchCrop(())(samples)["image"].shape == (3, 3, SIDE, SIDE)


def test_validation_only_pads_or_crops() -> None:
    out = validation_transform(96)(sample())
    assert out["image"].shape == (3, 96, 96)
    torch.testing.assert_close(out["image"][:, 16:80, 16:80], sample()["image"])
    assert out["label"].sum() == sample()["label"][1].sum()
