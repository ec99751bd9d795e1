"""A training run that is interrupted at any moment, even by SIGKILL, gives the same result after resuming."""

import multiprocessing
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from forks import in_a_fork
from rma_mamba.errors import ConfigError
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import train
from rma_mamba.training.config import Recipe
from rma_mamba.training.recipe_loading import load_recipe

# Randomness everywhere: augmentation, canvases, neighbours, sampling of slices, stochastic depth.
CHANCE = [
    "data.crop=64",
    "data.canvases=[32, 64]",
    "data.augment={spatial = 0.8, rotation_degrees = 30, noise = 0.5, single_slice = 0.5}",
    "model.settings.drop_path=0.3",
    "model.settings.decoder_drop_path=0.3",
]


def train_slowly(recipe: Path, settings: list[str]) -> None:
    """On a disk so slow that a checkpoint is incomplete most of the time."""
    really = os.fsync
    os.fsync = lambda file: (time.sleep(0.3), really(file))[1]
    train(recipe, settings, resume=True, quiet=True)


def same(one: Any, other: Any) -> bool:
    """Whether two checkpoints contain the same bits."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def checkpoint(run: Path, name: str = "last") -> dict[str, Any]:
    content = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return {key: content[key] for key in sorted(content) if key != "loops"}


def killed(recipe: Path, settings: list[str], run: Path, *, saving: bool) -> None:
    """Train for at least one more epoch, then SIGKILL while a checkpoint is written, or at a random moment."""
    last = run / "checkpoints" / "last.ckpt"
    before = last.stat().st_mtime_ns if last.exists() else 0
    context = multiprocessing.get_context("fork")  # with the libraries already loaded
    training = context.Process(target=train_slowly, args=(recipe, settings))
    training.start()
    while training.is_alive():
        time.sleep(0.005)
        if last.exists() and last.stat().st_mtime_ns > before:
            if not saving:
                time.sleep(random.uniform(0, 0.6))
                break
            if list(last.parent.glob(".rma-mamba-*.tmp")):
                break
    training.kill()
    training.join()
    assert training.exitcode == -signal.SIGKILL


def test_plateau_schedule_and_early_stopping_continue_after_resuming(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rma_mamba.training.optimizer._PLATEAU_PATIENCE", 0)
    # so that a loss counts as lower only if it is halved
    plateau = partial(ReduceLROnPlateau, threshold=0.5)
    monkeypatch.setattr("rma_mamba.training.optimizer.ReduceLROnPlateau", plateau)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    settings = [*CHANCE, "training.lr=0.1", "training.patience=2", "data.slices_per_epoch=12"]
    train(recipe, [*settings, "training.epochs=6", f"run.folder={whole}"], quiet=True)
    for epochs in (1, 3, 6, 6):
        changed = [f"training.epochs={epochs}", f"run.folder={torn}"]
        train(recipe, [*settings, *changed], resume=True, quiet=True)
    assert same(checkpoint(whole), checkpoint(torn))
    assert checkpoint(whole)["optimizer_states"][0]["param_groups"][0]["lr"] < 0.1


def test_a_run_that_stopped_early_does_not_continue_after_resuming(
    tmp_path: Path, recipe: Path
) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    # with such a small learning rate, no epoch is better than the first
    still = ["training.lr=1e-30", "training.average_weights=0.9999999", "data.slices_per_epoch=4"]
    for patience, epoch in ((1, 1), (1, 1), (2, 2)):
        changed = ["training.epochs=9", f"training.patience={patience}"]
        train(recipe, [*still, *changed], resume=True, quiet=True)
        assert torch.load(last, weights_only=True)["epoch"] == epoch


def test_a_changed_number_of_slices_per_step_is_rejected(recipe: Path) -> None:
    train(recipe, ["training.epochs=1"], quiet=True)
    with pytest.raises(
        ConfigError,
        match=r"used 4 slices per step and would now use 8 \(batch size 4 x 1 devices x 2",
    ):
        train(recipe, ["training.epochs=2", "training.accumulate=2"], resume=True, quiet=True)
    train(
        recipe,
        ["training.epochs=2", "training.accumulate=2", "training.batch_size=2"],
        resume=True,
        quiet=True,
    )


def test_a_folder_without_a_checkpoint_starts_from_the_beginning(
    tmp_path: Path, recipe: Path
) -> None:
    unfinished = tmp_path / "run" / "checkpoints" / ".rma-mamba-0123.tmp"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"half a checkpoint")
    train(recipe, ["training.epochs=1"], resume=True, quiet=True)
    assert not unfinished.exists()
    settings: Recipe = load_recipe(tmp_path / "run" / "recipe.toml")
    assert settings.training.epochs == 1


def test_a_killed_and_resumed_run_gives_the_same_bits(tmp_path: Path, recipe: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    # After the other tests, so that the forked processes find all libraries loaded.
    settings = [*CHANCE, "training.epochs=6", "training.schedule=cosine", "training.workers=1"]
    settings.append("data.slices_per_epoch=12")
    in_a_fork(lambda: train(recipe, [*settings, f"run.folder={whole}"], quiet=True))
    settings.append(f"run.folder={torn}")
    killed(recipe, settings, torn, saving=True)
    killed(recipe, settings, torn, saving=False)
    in_a_fork(lambda: train(recipe, settings, resume=True, quiet=True))
    for name in ("last", "best"):
        assert same(checkpoint(whole, name), checkpoint(torn, name))
    exported = [read_checkpoint(run / "weights.safetensors").sha256 for run in (whole, torn)]
    assert exported[0] == exported[1]
    assert not list(torn.rglob(".rma-mamba-*"))
    assert not same(checkpoint(whole), checkpoint(whole, "best"))
