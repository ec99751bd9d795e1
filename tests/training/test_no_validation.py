"""Training on all cases: the patients of the validation split are trained on, and the last epoch counts."""

import json
from pathlib import Path

import pytest
import torch

from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, read_history, train
from rma_mamba.training.data_module import SliceDataModule

ALL = "data.validation=false"


def test_validation_patients_are_trained_on_and_test_patients_are_not(recipe: Path) -> None:
    data = load_recipe(recipe, [ALL]).data
    files = SourceFiles(data)
    patients = {
        split: {name for source in data.sources for name in files.images(source, split)}
        for split in ("train", "val", "test")
    }
    assert patients == {"train": {"1", "2", "3", "4", "10"}, "val": set(), "test": {"11"}}
    held_out = load_recipe(recipe).data
    assert list(SourceFiles(held_out).images(held_out.sources[0], "val")) == ["2"]


def test_a_source_of_the_validation_split_is_trained_on(recipe: Path) -> None:
    content = load_recipe(recipe, [ALL]).data.model_dump()
    content["sources"][0]["split"] = "val"
    data = type(load_recipe(recipe).data).model_validate(content)
    assert set(SourceFiles(data).images(data.sources[0], "train")) == {"1", "2"}


def test_the_last_epoch_is_exported_without_validation_metrics(
    tmp_path: Path, recipe: Path
) -> None:
    # patience and the plateau schedule would need a validation Dice and loss
    changed = [ALL, "training.patience=1", "training.epochs=3"]
    weights = train(recipe, changed, quiet=True)
    run = tmp_path / "run"
    history = read_history(run)
    assert set(history) == {"train_loss", "lr"}
    assert len(history["lr"]) == 3
    assert not (run / "checkpoints" / "best.ckpt").exists()
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    expected = last["state_dict"]["model.out_conv1.weight"].half()
    assert torch.equal(read_checkpoint(weights).state["out_conv1.weight"], expected)
    cases = json.loads((run / "data_manifest.json").read_text())
    assert {case["split"] for case in cases} == {"train"}


def test_a_run_without_validation_resumes_bit_by_bit(tmp_path: Path, recipe: Path) -> None:
    states = []
    for name, steps in (("once", [2]), ("twice", [1, 2])):
        for epochs in steps:
            changed = [ALL, f"run.folder='{tmp_path / name}'", f"training.epochs={epochs}"]
            weights = train(recipe, changed, resume=True, quiet=True)
        states.append(read_checkpoint(weights).state)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_stacks_need_no_validation_patients(recipe: Path) -> None:
    data = SliceDataModule(load_recipe(recipe, [ALL, "data.stack_depths=[2]"]))
    data.setup("fit")
    assert len(data.val_dataloader()) == 0
    assert next(iter(data.train_dataloader()))["image"].ndim == 5


def test_without_the_setting_validation_patients_are_still_required(recipe: Path) -> None:
    none = ["data.splits={}"]
    with pytest.raises(ConfigError, match="0 for validation"):
        SliceDataModule(load_recipe(recipe, none)).setup("fit")
    SliceDataModule(load_recipe(recipe, [*none, ALL])).setup("fit")
