"""A complete training run on a small folder: it learns, writes its files, and can be resumed."""

import multiprocessing
import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from rma_mamba.cli import main
from rma_mamba.errors import ConfigError
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model, model_settings
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import load_recipe, train
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule
from tiny import SETTINGS


def metrics(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("metrics/version_*/metrics.csv"))]


def test_a_training_run_writes_weights_logs_and_checkpoints_and_can_be_resumed(
    tmp_path: Path, recipe: Path
) -> None:
    run = tmp_path / "run"
    weights = train(recipe, quiet=True)
    assert weights == run / "weights.safetensors"
    checkpoint = read_checkpoint(weights)
    assert checkpoint.model == "rma-mamba-n"
    assert checkpoint.settings == model_settings("rma-mamba-n", **SETTINGS)
    assert checkpoint.settings["depths"] == [1, 1, 1, 1]
    assert checkpoint.recipe["spacing_mm"] == 4.0
    assert {x.dtype for x in checkpoint.state.values() if x.is_floating_point()} == {torch.float16}
    for name in ("best.ckpt", "last.ckpt"):
        assert (run / "checkpoints" / name).exists()
    assert list(run.glob("tensorboard/*/events*"))
    assert "val_dice" in metrics(run)[0]
    values = np.zeros((12, 12, 3), np.int16)
    assert Segmenter.load(weights)((values, np.eye(4))).mask.labels.shape == (12, 12, 3)

    with pytest.raises(ConfigError, match="already contains a training run"):
        train(recipe, quiet=True, lenient=True)
    with pytest.raises(ConfigError, match="expected the same recipe with --resume"):
        train(recipe, ["training.lr=1"], resume=True, quiet=True, lenient=True)
    assert not (run / "data_checks.json").exists()
    train(recipe, ["training.epochs=3"], resume=True, quiet=True)
    first, second = metrics(run)
    assert first.splitlines()[-1].startswith("1,")
    assert [line.split(",")[0] for line in second.splitlines()[1:] if line[0] != ","] == ["2", "2"]


def test_training_steps_reduce_the_loss(tmp_path: Path, recipe: Path) -> None:
    settings = load_recipe(recipe)
    torch.manual_seed(0)
    data = SliceDataModule(settings)
    data.setup("fit")
    module = SegmentationModule(create_model("rma-mamba-n", **SETTINGS), settings.training)
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    batch = next(iter(data.train_dataloader()))
    losses = []
    for _ in range(24):
        loss = module.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_that_cannot_start_writes_nothing(tmp_path: Path, recipe: Path) -> None:
    with pytest.raises(ConfigError):
        train(recipe, ["model.name='rma-mamba-x'"], quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_run_resumes_from_the_last_epoch_and_not_the_best(tmp_path: Path, recipe: Path) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    # with such a small learning rate, no epoch is better than the first
    still = ["training.lr=1e-30", "training.epochs=3", "training.average_weights=0.999"]
    train(recipe, still, quiet=True)
    assert torch.load(last, weights_only=True)["epoch"] == 2
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"last\.ckpt cannot be read"):
        train(recipe, still, resume=True, quiet=True)


def test_training_ends_when_the_loss_is_not_finite(tmp_path: Path, recipe: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"the loss became \w+ in epoch \d, step \d, on "
    ) as caught:
        train(recipe, ["training.lr=1e30", "training.epochs=5"], quiet=True)
    assert 1 <= len(re.findall(r"(volumes|slices) patient \d+ slice \d", str(caught.value))) <= 4
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_equal_seeds_give_equal_weights(tmp_path: Path, recipe: Path) -> None:
    rotated = ["data.augment.spatial=1.0", "data.augment.rotation_degrees=30"]
    states = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        changed = [*rotated, f"run.folder='{tmp_path / name}'", f"run.seed={seed}"]
        weights = train(recipe, [*changed, "training.epochs=1"], quiet=True)
        states.append(read_checkpoint(weights).state["out_conv1.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def command_line(*arguments: str) -> None:
    """As in a new process; shells ignore SIGINT in background jobs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["rma-mamba", *arguments]
    main()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_exits_with_the_code_that_shells_expect(
    tmp_path: Path, recipe: Path, signum: int
) -> None:
    context = multiprocessing.get_context("fork")  # with the libraries already loaded
    endless = ["train", str(recipe), "--set", "training.epochs=100000"]
    training = context.Process(target=command_line, args=endless)
    training.start()
    try:
        last = tmp_path / "run" / "checkpoints" / "last.ckpt"
        while not last.exists() and training.is_alive():
            time.sleep(0.02)
        os.kill(training.pid, signum)
        training.join(60)
        assert training.exitcode == 128 + signum
    finally:
        training.kill()
    assert not (tmp_path / "run" / "weights.safetensors").exists()
