"""Two processes train like one: equal weights, the same validation, and no deadlock by unused parameters."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import nn

import one_of_several
from rma_mamba.errors import BackendError
from rma_mamba.models import model_factory
from rma_mamba.models.baselines.unet import UNetConfig
from rma_mamba.training import train
from rma_mamba.training.checkpoints import model_state
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule
from rma_mamba.training.recipe_loading import load_recipe
from rma_mamba.training.trainer import make_trainer

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def validations(run: Path) -> list[float]:
    """Dice of every validation since the run was last started."""
    path = max(run.glob("metrics/version_*/metrics.csv"))
    with path.open() as file:
        return [float(line["val_dice"]) for line in csv.DictReader(file) if line.get("val_dice")]


def test_two_processes_train_as_one(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    settings = [
        "model.name=unet",
        "model.settings={width = 4}",
        "training.batch_size=3",  # with 7 validation slices, one process gets two batches, the other one
        "data.slices_per_epoch=12",
        "data.crop=64",
    ]
    done = subprocess.run(
        [sys.executable, *TORCHRUN, one_of_several.__file__, str(recipe), *settings],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(run / f"rank{rank}.pt") for rank in (0, 1))
    assert first["devices"] == second["devices"] == 2
    for name, tensor in first["state"].items():
        assert "running" in name or torch.equal(tensor, second["state"][name]), name
    found = validations(run)
    assert len(found) == 2

    model = one_of_several.IdleUNet(UNetConfig(width=4))
    model.load_state_dict(model_state(run / "checkpoints" / "last.ckpt"))
    assert dice_alone(model.eval(), recipe, settings) == found[-1]

    # one process resumes the run of two, with the same number of slices per step
    monkeypatch.setitem(model_factory._BASELINES, "unet", (one_of_several.IdleUNet, UNetConfig))
    train(
        recipe, [*settings, "training.accumulate=2", "training.epochs=3"], resume=True, quiet=True
    )
    assert len(validations(run)) == 1


def dice_alone(model: nn.Module, recipe: Path, settings: list[str]) -> float:
    """Dice over all validation slices, each counted once, as logged."""
    data = SliceDataModule(load_recipe(recipe, settings))
    data.setup("fit")
    both = either = 0
    with torch.no_grad():
        for batch in data.val_dataloader():
            found, liver = model(batch["image"])[-1] > 0, batch["label"] > 0
            both += 2 * int((found & liver).sum())
            either += int(found.sum() + liver.sum())
    return float(torch.tensor(both / max(either, 1), dtype=torch.float32))


def test_slurm_determines_the_number_of_devices(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # global state of Lightning
    said = {"NTASKS": 4, "NTASKS_PER_NODE": 2, "NNODES": 2, "PROCID": 3, "LOCALID": 1, "NODEID": 1}
    for name, value in said.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("SLURM_JOB_ID", "123456")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    training = TrainingConfig(accelerator="cpu", nodes=2, loggers=())
    trainer = make_trainer(training, tmp_path, [], nn.Linear(1, 1), quiet=True)
    environment = trainer.strategy.cluster_environment
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue
    assert (trainer.world_size, trainer.global_rank, trainer.num_devices) == (4, 3, 2)


def test_norms_are_synchronised_over_several_gpus_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(devices: int) -> object:
        training = TrainingConfig(
            sync_norms=True, accelerator="cpu", devices=devices, loggers=(), workers=0
        )
        return make_trainer(training, tmp_path, [], nn.Linear(2, 2), quiet=True)

    make(1)  # nothing to synchronise
    with pytest.raises(BackendError, match="several devices that are not GPUs"):
        make(2)


def test_frozen_norms_stay_frozen_when_they_are_synchronised() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.SyncBatchNorm(2), nn.BatchNorm2d(2))
    module = SegmentationModule(model, TrainingConfig(freeze_norms=True))
    module.train()
    assert [each.training for each in model] == [True, False, False]
