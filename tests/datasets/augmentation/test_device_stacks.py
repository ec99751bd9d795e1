"""Augmentation of whole batches of stacks on the training device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.device_stacks import DeviceStackAugmentation
from rma_mamba.datasets.augmentation.stack_transforms import stack_transform
from rma_mamba.datasets.stacks import with_channels
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.slicing import SliceRecipe
from rma_mamba.slicing.intensity_scale import compress_highlights

SIDE, SLICES = 48, 3
RECIPE = SliceRecipe(neighbours=True, modality_plane=True, mr_headroom=0.5)
MOVED = {"spatial": 1.0, "rotation_degrees": 20, "scale": (0.8, 1.2), "elastic": 0.05}
EVERYTHING = AugmentConfig(
    **MOVED,
    **dict.fromkeys(
        (
            *("cut_outs", "lesions", "tissue_contrast", "liver_contrast", "inversion", "histogram"),
            *("gamma", "window", "bias_field", "noise", "blur", "low_resolution", "slice_jumps"),
            *("contrast_phase", "effusion", "ascites", "metal"),
        ),
        1.0,
    ),
)


def raw_batch(
    count: int = 4, *, first: int = 0, scans: int = 1, hounsfield: bool = False
) -> dict[str, Tensor]:
    """A liver in fat, in a body with a lung: every change of a CT finds what it changes."""
    label = torch.zeros(count, SLICES, SIDE, SIDE, dtype=torch.uint8)
    label[:, :, 18:32, 12:26] = 1
    image = torch.zeros_like(label)
    image[:, :, 4:44, 4:44] = 60  # fat, -75 HU in the window
    image[:, :, 8:18, 28:40] = 10
    random = torch.Generator().manual_seed(1)
    image += torch.randint(0, 9, (SIDE, SIDE), generator=random).byte() + 70 * label
    batch = {
        "image": image.repeat(1, scans, 1, 1),
        "label": label,
        "tissues": label * 6,
        "hounsfield": torch.full((count,), float(hounsfield)),
        "compressed": torch.zeros(count, dtype=torch.bool),
        "index": torch.arange(count * SLICES).view(count, SLICES),
        "draw": torch.arange(first, first + count) * 7919,
    }
    if scans > 1:
        batch["present"] = torch.ones(count, scans, dtype=torch.bool)
    return batch


def augmented(
    config: AugmentConfig, batch: dict[str, Tensor], recipe: SliceRecipe = RECIPE
) -> dict[str, Tensor]:
    copied = {key: each.clone() for key, each in batch.items()}
    return DeviceStackAugmentation(config, recipe, SIDE)(copied)


def on_workers(config: AugmentConfig, batch: dict[str, Tensor]) -> Tensor:
    hounsfield = bool(batch["hounsfield"][0])
    transform = stack_transform(config, RECIPE, SIDE, hounsfield=hounsfield)
    stacks = []
    for n, image in enumerate(batch["image"]):
        transform.set_random_state(seed=n)
        label = batch["label"][n].float()
        sample = {"image": image.float() / 255, "label": label, "tissues": batch["tissues"][n]}
        stacks.append(with_channels(transform(sample)["image"], RECIPE, hounsfield))
    return torch.stack(stacks)


def test_without_augmentation_it_is_what_the_workers_compute() -> None:
    batch = raw_batch()
    found = augmented(AugmentConfig(), batch)
    assert torch.equal(found["image"], on_workers(AugmentConfig(), batch))
    assert torch.equal(found["label"], batch["label"][:, :, None].float())
    assert set(found) == {"image", "label", "index", "draw"}


def test_ct_with_unknown_windowing_is_compressed_like_mr() -> None:
    batch = raw_batch(2)
    batch["image"] = torch.arange(256).byte()[:, None].repeat(2, SLICES, 1, SIDE)
    batch["label"] = torch.zeros_like(batch["image"])
    batch["tissues"] = batch["label"]
    batch["compressed"] = torch.tensor([True, False])
    found = DeviceStackAugmentation(AugmentConfig(), RECIPE, 256)(batch)["image"][:, :, 1]
    plain = batch["image"].float() / 255
    torch.testing.assert_close(found[0, ..., 104:152], compress_highlights(plain[0], 0.5))
    torch.testing.assert_close(found[1, ..., 104:152], plain[1])


@pytest.mark.parametrize(
    ("name", "hounsfield"),
    [
        *((name, False) for name in ("lesions", "slice_jumps", "bias_field", "cut_outs", "noise")),
        *((name, True) for name in ("contrast_phase", "effusion", "ascites", "metal", "lesions")),
    ],
)
def test_each_change_is_as_strong_as_on_the_workers(name: str, hounsfield: bool) -> None:
    batch = raw_batch(40, hounsfield=hounsfield)
    settings: dict[str, Any] = {name: 1.0}
    plain = augmented(AugmentConfig(), raw_batch(40))["image"][:, :, :3]
    means, spread = [], 0.0
    for images in (
        augmented(AugmentConfig(**settings), batch)["image"],
        on_workers(AugmentConfig(**settings), batch),
    ):
        changes = (images[:, :, :3] - plain).abs().mean(dim=(1, 2, 3, 4)).numpy()
        means.append(float(changes.mean()))
        spread = max(spread, float(changes.std()) / np.sqrt(len(changes)))
    assert means[0] > 0
    assert abs(means[0] - means[1]) < 5 * spread + 0.1 * means[1]


@pytest.mark.parametrize("hounsfield", [False, True])
def test_a_stack_depends_on_its_draw_alone(hounsfield: bool) -> None:
    whole = augmented(EVERYTHING, raw_batch(4, hounsfield=hounsfield))
    part = augmented(EVERYTHING, raw_batch(2, first=1, hounsfield=hounsfield))
    torch.testing.assert_close(part["image"], whole["image"][1:3], rtol=0, atol=1e-5)
    assert torch.equal(part["label"], whole["label"][1:3])
    again = augmented(EVERYTHING, raw_batch(4, hounsfield=hounsfield))
    assert torch.equal(whole["image"], again["image"])
    assert whole["image"].shape == (4, SLICES, 4, SIDE, SIDE)
    assert 0 <= whole["image"].min() <= whole["image"].max() <= 1


def test_ct_and_mr_may_be_in_one_batch() -> None:
    batch = raw_batch(3)
    batch["hounsfield"] = torch.tensor([0.0, 1.0, 0.0])
    mixed = augmented(EVERYTHING, batch)
    for n, hounsfield in enumerate((False, True, False)):
        alone = augmented(EVERYTHING, raw_batch(1, first=n, hounsfield=hounsfield))
        torch.testing.assert_close(mixed["image"][n], alone["image"][0], rtol=0, atol=1e-5)
    assert mixed["image"][:, 0, 3].mean((1, 2)).tolist() == [0.0, 1.0, 0.0]


def test_labels_of_all_slices_move_with_the_image() -> None:
    batch = raw_batch(4)
    batch["label"][:, 0] = 0
    batch["image"] = batch["label"] * 255
    found = augmented(AugmentConfig(**MOVED, rotation=1.0, horizontal_flip=1.0), batch)
    assert torch.equal((found["image"][:, :, 1] > 0.5).float(), found["label"][:, :, 0])
    assert not found["label"][:, 0].any()
    assert found["label"][:, 1:].any()
    # flips and turns of their own are for slices
    columns = found["label"][:, 1, 0].nonzero()[:, 2].float()
    assert columns.mean() < SIDE / 2


def test_classes_of_all_slices_are_kept_and_have_no_lesions() -> None:
    labels = LabelScheme(names=("liver", "tumour"), inside={"tumour": "liver"})
    recipe = RECIPE.model_copy(update={"labels": labels})
    for hounsfield in (False, True):
        batch = raw_batch(2, hounsfield=hounsfield)
        batch["label"][:, :, 20:26, 16:22] = 3
        plain, found = (
            augmented(config, batch, recipe)
            for config in (AugmentConfig(), AugmentConfig(lesions=1))
        )
        assert found["label"].shape == (2, SLICES, 2, SIDE, SIDE)
        assert torch.equal(found["label"][:, :, 1], (batch["label"] == 3).float())
        assert torch.equal(found["image"], plain["image"])


def test_missing_scans_stay_black_and_lesions_are_in_the_same_place() -> None:
    recipe = RECIPE.model_copy(update={"channel_names": ("T1", "T2")})
    batch = raw_batch(2, scans=2)
    batch["present"][1, 0] = False
    found = augmented(EVERYTHING, batch, recipe)["image"]
    assert found.shape[2] == 7
    assert not found[1, :, :3].any()
    assert found[1, :, 3:6].any()
    image = augmented(AugmentConfig(lesions=1.0), batch, recipe)["image"][0]
    assert torch.equal(image[:, :3], image[:, 3:6])
