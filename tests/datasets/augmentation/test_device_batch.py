"""Augmentation of whole batches on the training device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from augmentations import EVERYTHING
from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.batch_contrast import lesions
from rma_mamba.datasets.augmentation.batch_geometry import centred, moved
from rma_mamba.datasets.augmentation.batch_intensity import cut_outs, histogram_shift
from rma_mamba.datasets.augmentation.device_batch import DeviceAugmentation
from rma_mamba.datasets.augmentation.transforms import training_transform
from rma_mamba.datasets.augmentation.unit_draws import UnitDraws

SIDE = 64
CPU = torch.device("cpu")

# Each change alone, always applied.
ALONE: dict[str, dict[str, Any]] = {
    "tissue_contrast": {},
    "liver_contrast": {},
    "lesions": {},
    "inversion": {},
    "spatial": {"rotation_degrees": 20, "scale": (0.8, 1.2), "shift": 0.1, "elastic": 0.05},
    "rotation": {"rotation_degrees": 30},
    "horizontal_flip": {},
    "vertical_flip": {},
    "histogram": {},
    "gamma": {},
    "window": {},
    "bias_field": {},
    "noise": {},
    "blur": {},
    "low_resolution": {},
    "cut_outs": {},
}


def raw_batch(count: int = 4, first: int = 0, scans: int = 1) -> dict[str, Tensor]:
    """A liver in a body with texture, whose right half differs from its left one."""
    random = torch.Generator().manual_seed(1)
    label = torch.zeros(count, 3, SIDE, SIDE, dtype=torch.uint8)
    label[:, :, 16:36, 12:30] = 1
    body = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    body[6:58, 4:60] = 70
    texture = torch.randint(0, 25, (SIDE, SIDE), generator=random).byte()
    image = (body + texture * (body > 0) + 60 * label).repeat(1, scans, 1, 1)
    batch = {
        "image": image,
        "label": label,
        "tissues": label * 6,
        "index": torch.arange(count),
        "draw": torch.arange(first, first + count) * 7919,
    }
    if scans > 1:
        batch["present"] = torch.ones(count, scans, dtype=torch.bool)
    return batch


def augmented(
    config: AugmentConfig, batch: dict[str, Tensor], crop: int = SIDE
) -> dict[str, Tensor]:
    return DeviceAugmentation(config, crop)({key: each.clone() for key, each in batch.items()})


def on_workers(config: AugmentConfig, batch: dict[str, Tensor], crop: int = SIDE) -> Tensor:
    transform = training_transform(config, crop)
    images = []
    for image, label, tissues in zip(
        *(batch[k] for k in ("image", "label", "tissues")), strict=True
    ):
        transform.set_random_state(seed=len(images))
        sample = {"image": image.float() / 255, "label": label.float(), "tissues": tissues}
        images.append(transform(sample)["image"])
    return torch.stack(images)


@pytest.mark.parametrize("crop", [48, 64, 80])
def test_without_augmentation_it_is_what_the_workers_compute(crop: int) -> None:
    batch = raw_batch()
    found = augmented(AugmentConfig(), batch, crop)
    assert torch.equal(found["image"], on_workers(AugmentConfig(), batch, crop))
    assert set(found) == {"image", "label", "index", "draw"}


@pytest.mark.parametrize("config", [AugmentConfig(), EVERYTHING])
def test_one_slice_becomes_three_channels(config: AugmentConfig) -> None:
    batch = raw_batch()
    single = {**batch, **{key: batch[key][:, :1] for key in ("image", "label", "tissues")}}
    found, expected = augmented(config, single), augmented(config, batch)
    assert torch.equal(found["label"], expected["label"])
    torch.testing.assert_close(found["image"], expected["image"], rtol=0, atol=1e-4)
    assert torch.equal(found["image"][:, 0], found["image"][:, 1]) == (config.noise == 0)


@pytest.mark.parametrize("name", ALONE)
def test_each_change_is_as_strong_as_on_the_workers(name: str) -> None:
    config = AugmentConfig(**{name: 1.0}, **ALONE[name])
    batch = raw_batch(24)
    plain = batch["image"].float() / 255
    strengths = [
        (each - plain).abs().mean(dim=(1, 2, 3)).numpy()
        for each in (augmented(config, batch)["image"], on_workers(config, batch))
    ]
    found, expected = (float(each.mean()) for each in strengths)
    spread = max(float(each.std()) for each in strengths) / np.sqrt(24)
    assert found > 0
    assert abs(found - expected) < 5 * spread + 0.15 * expected


@pytest.mark.parametrize("name", ALONE)
def test_a_change_without_probability_is_not_applied(name: str) -> None:
    config = AugmentConfig(**{name: 0.5}, **ALONE[name])
    batch = raw_batch(16)
    same = [
        torch.equal(one, other)
        for one, other in zip(
            augmented(config, batch)["image"], batch["image"].float() / 255, strict=True
        )
    ]
    assert 0 < sum(same) < 16


def test_a_sample_depends_on_its_draw_alone() -> None:
    whole = augmented(EVERYTHING, raw_batch(6))
    part = augmented(EVERYTHING, raw_batch(2, first=3))
    torch.testing.assert_close(part["image"], whole["image"][3:5], rtol=0, atol=1e-5)
    assert torch.equal(part["label"], whole["label"][3:5])
    assert torch.equal(whole["image"], augmented(EVERYTHING, raw_batch(6))["image"])
    other = augmented(EVERYTHING, raw_batch(6, first=50))
    assert not torch.equal(other["image"], whole["image"])


def test_results_are_intensities_and_labels() -> None:
    found = augmented(EVERYTHING, raw_batch(8), 48)
    assert found["image"].shape == (8, 3, 48, 48)
    assert 0 <= found["image"].min() <= found["image"].max() <= 1
    assert set(found["label"].unique().tolist()) == {0.0, 1.0}


def test_a_flip_is_exact_and_moves_image_and_label() -> None:
    batch = raw_batch(2)
    found = augmented(AugmentConfig(horizontal_flip=1.0), batch)
    torch.testing.assert_close(found["image"], (batch["image"].float() / 255).flip(-1))
    assert torch.equal(found["label"], batch["label"][:, 1:2].float().flip(-1))


def test_the_label_moves_with_the_image() -> None:
    config = AugmentConfig(spatial=1.0, rotation=1.0, rotation_degrees=25, elastic=0.05, shear=0.1)
    batch = raw_batch(6)
    batch["image"] = batch["label"] * 255
    found = augmented(config, batch)
    inside = (found["image"][:, 1:2] > 0.5).float()
    assert torch.equal(inside, found["label"])
    assert not torch.equal(found["label"], batch["label"][:, 1:2].float())


def test_classes_are_moved_one_by_one() -> None:
    batch = raw_batch(2)
    batch["label"][:, :, 20:26, 16:22] = 3
    augment = DeviceAugmentation(AugmentConfig(vertical_flip=1.0, lesions=1.0), SIDE, classes=2)
    found = augment({key: each.clone() for key, each in batch.items()})
    assert found["label"].shape == (2, 2, SIDE, SIDE)
    assert torch.equal(found["label"][:, 1], (batch["label"][:, 1] == 3).float().flip(-2))
    torch.testing.assert_close(found["image"], (batch["image"].float() / 255).flip(-2))


def test_missing_scans_stay_black_and_lesions_are_in_the_same_place() -> None:
    batch = raw_batch(4, scans=2)
    batch["present"][1, 0] = False
    found = augmented(EVERYTHING, batch)["image"]
    assert not found[1, :3].any()
    assert found[1, 3:].any()
    first, second = augmented(AugmentConfig(lesions=1.0), batch)["image"][0].chunk(2)
    assert torch.equal(first, second)
    assert not torch.equal(*augmented(EVERYTHING, raw_batch(1, scans=2))["image"][0].chunk(2))


def test_several_scans_of_one_slice_have_three_equal_channels_each() -> None:
    batch = raw_batch(2, scans=2)
    batch["image"] = batch["image"][:, [1, 4]]
    batch["hounsfield"] = torch.tensor([0.0, 1.0])
    found = augmented(AugmentConfig(), batch)["image"]
    for n, channel in enumerate((0, 0, 0, 1, 1, 1)):
        torch.testing.assert_close(found[:, n], batch["image"][:, channel].float() / 255)
    assert found[:, 6].flatten(1).mean(1).tolist() == [0.0, 1.0]


def test_lesions_are_inside_the_liver_and_nowhere_without_one() -> None:
    label = torch.zeros(2, 3, SIDE, SIDE)
    label[0, :, 20:40, 20:40] = 1
    added = lesions(label, [0, 1], UnitDraws([(0,), (1,)], CPU))
    assert added[0].abs().sum() > 0
    assert not added[0][label[0] == 0].any()
    assert not added[1].any()


def test_a_histogram_shift_keeps_order_and_extremes() -> None:
    ramp = torch.linspace(0.2, 0.8, SIDE * SIDE).view(1, 1, SIDE, SIDE)
    curve = histogram_shift(ramp, [0], UnitDraws([(3,)], CPU)).flatten()
    assert (curve.diff() >= -1e-6).all()
    torch.testing.assert_close(curve[[0, -1]], ramp.flatten()[[0, -1]])
    assert not torch.allclose(curve, ramp.flatten(), atol=0.01)


def test_holes_are_black_and_few() -> None:
    holes = cut_outs(
        torch.ones(8, 2, SIDE, SIDE), list(range(8)), UnitDraws([(n,) for n in range(8)], CPU)
    )
    assert torch.equal(holes[:, 0], holes[:, 1])
    black = (holes[:, 0] == 0).float().mean(dim=(1, 2))
    assert (black > 0).all()
    assert black.max() < 1


def test_images_are_centred_like_a_crop_and_a_pad() -> None:
    image = torch.arange(36.0).view(1, 1, 6, 6)
    assert torch.equal(centred(image, 4), image[..., 1:5, 1:5])
    assert torch.equal(centred(image, 8)[..., 1:7, 1:7], image)


def test_nothing_is_moved_without_probability() -> None:
    image = torch.rand(2, 2, 40, 40)
    assert torch.equal(moved(image, AugmentConfig(), 40, UnitDraws([(0,), (1,)], CPU)), image)


def test_draws_belong_to_their_unit() -> None:
    two, one = UnitDraws([(5,), (6,)], CPU), UnitDraws([(6,)], CPU)
    assert torch.equal(two.uniform([0, 1], 0, 1, 3)[1], one.uniform([0], 0, 1, 3)[0])
    assert torch.equal(two.noise([1], (4,)), one.noise([0], (4,)))
    assert two.chosen(0) == []
    assert two.chosen(1, [False, True]) == [1]
