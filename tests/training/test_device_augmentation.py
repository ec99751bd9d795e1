"""Training with augmentation of whole batches on the device, here the CPU."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.toml_writer import to_toml
from two_scans import recipe_content, write_two_scans

AUGMENT = {"spatial": 0.5, "noise": 0.5, "histogram": 0.5, "tissue_contrast": 0.3, "lesions": 0.3}


def written(tmp_path: Path, **data: Any) -> Path:
    root = write_two_scans(tmp_path / "data")
    content = recipe_content(root, tmp_path / "run", augment_on="device", augment=AUGMENT, **data)
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(content))
    return path


@pytest.mark.parametrize("stacks", [False, True])
def test_a_resumed_run_gives_the_same_weights(tmp_path: Path, stacks: bool) -> None:
    slices = {"slices_per_epoch": 8, "crop": 64, "canvases": [32, 64]}
    recipe = written(tmp_path, **(STACKS if stacks else slices))
    states = []
    for name, epochs in (("whole", (2,)), ("parts", (1, 2))):
        for n in epochs:
            settings = [f"run.folder={tmp_path / name}", f"training.epochs={n}"]
            weights = train(recipe, settings, resume=True, quiet=True)
            states.append(read_checkpoint(weights).state)
    whole, _, resumed = states
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_workers_pass_on_raw_slices_and_batches_are_augmented_once(tmp_path: Path) -> None:
    data = SliceDataModule(load_recipe(written(tmp_path, canvases=[32], crop=64)))
    data.setup("fit")
    raw = next(iter(data.train_dataloader()))
    assert raw["image"].dtype == torch.uint8
    batch = data.on_after_batch_transfer(raw, 0)
    assert batch["image"].shape == (4, 6, 32, 32)
    assert batch["label"].shape == (4, 1, 32, 32)
    assert data.on_after_batch_transfer(batch, 0) is batch
    validation = next(iter(data.val_dataloader()))
    assert data.on_after_batch_transfer(validation, 0) is validation


STACKS = {"stack_depths": [2, 3], "crop": 64, "canvases": [32, 64], "slices_per_epoch": 8}


def test_stacks_are_augmented_on_the_device(tmp_path: Path) -> None:
    data = SliceDataModule(load_recipe(written(tmp_path, **STACKS)))
    data.setup("fit")
    raw = next(iter(data.train_dataloader()))
    assert raw["image"].dtype == torch.uint8
    batch = data.on_after_batch_transfer(raw, 0)
    stacks, slices = raw["label"].shape[:2]
    assert batch["image"].shape[:3] == (stacks, slices, 6)
    assert batch["label"].shape == (stacks, slices, 1, *batch["image"].shape[-2:])
    assert data.on_after_batch_transfer(batch, 0) is batch
    assert data.describe(int(batch["index"][0, 0])).startswith("MR patient ")
