"""A network with through-plane context is trained on stacks of slices, and segments scans of any number of slices."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule

SETTINGS = [
    "model.name=rma-mamba-z",
    "data.stack_depths=[2, 4]",
    "data.recipe.modality_plane=true",
    "data.recipe.through_plane_mm=8.0",
    "data.recipe.mr_headroom=0.5",
    "data.augment={spatial = 0.5, contrast_phase = 1.0, effusion = 0.5, ascites = 0.5, metal = 0.5, slice_jumps = 0.5}",
]


def test_a_run_on_stacks_gives_weights_that_segment_any_number_of_slices(recipe: Path) -> None:
    weights = train(recipe, SETTINGS, quiet=True)
    checkpoint = read_checkpoint(weights)
    assert checkpoint.settings["through_plane"] == [0, 1, 1, 1]
    assert checkpoint.recipe["through_plane_mm"] == 8.0
    segmenter = Segmenter.load(weights)
    for slices in (1, 3, 40):
        values = np.random.default_rng(0).integers(0, 99, (12, 12, slices)).astype(np.int16)
        assert segmenter((values, np.diag([4.0, 4.0, 8.0, 1.0]))).mask.labels.shape[2] == slices


def test_a_run_on_stacks_repeats_itself_and_is_resumed(recipe: Path, tmp_path: Path) -> None:
    first = read_checkpoint(train(recipe, SETTINGS, quiet=True)).sha256
    elsewhere = [*SETTINGS, f"run.folder={tmp_path / 'other'}"]
    train(recipe, [*elsewhere, "training.epochs=1"], quiet=True)
    again = read_checkpoint(train(recipe, elsewhere, resume=True, quiet=True)).sha256
    assert first == again


def test_batches_do_not_depend_on_the_workers(recipe: Path) -> None:
    batches = []
    for workers in (0, 2):
        data = SliceDataModule(load_recipe(recipe, [*SETTINGS, f"training.workers={workers}"]))
        data.setup("fit")
        batches.append(list(data.train_dataloader()))
    alone, helped = batches
    assert len(alone) == len(helped) == 6
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert {batch["image"].shape[1] for batch in alone} <= {1, 2, 4}


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_norms_keep_their_statistics(recipe: Path, frozen: bool) -> None:
    settings = [*SETTINGS, f"training.freeze_norms={str(frozen).lower()}"]
    loaded = load_recipe(recipe, settings)
    model = create_model(loaded.model.name, **loaded.model.settings)
    module = SegmentationModule(model, loaded.training)
    module.train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    model(torch.rand(4, 4, 64, 64))
    same = all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert same == frozen
