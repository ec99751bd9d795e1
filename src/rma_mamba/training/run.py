"""From a recipe to weights, through Lightning."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import lightning
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from rma_mamba.errors import ConfigError
from rma_mamba.files import replace_file
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.weights import encode_checkpoint
from rma_mamba.training.config import Recipe, TrainingConfig, load_recipe
from rma_mamba.training.data import SliceData
from rma_mamba.training.module import SegmentationModule

WEIGHTS_FILE = "weights.safetensors"
# What Lightning says of its own code and of choices that are meant, and MONAI of a crop beside the body.
_NO_NEWS = (
    r".*isinstance\(treespec, LeafSpec\).*",
    ".*does not have many workers.*",
    ".*number of training batches.*smaller than the logging.*",
    ".*lr_scheduler.step.*before.*optimizer.step.*",
    ".*intensity is a single value.*",
)
_WATCHED, _BETTER = "val_dice", "max"


def train(
    recipe: str | Path, overrides: Sequence[str] = (), resume: bool = False, *, quiet: bool = False
) -> Path:
    """Train a network as a recipe says.

    In the run's folder it leaves `metrics/` (CSV), `tensorboard/`, `checkpoints/best.ckpt` and
    `last.ckpt`, the recipe as it was used, and `weights.safetensors`, the best network.

    Args:
        recipe: A TOML file, or the name of a shipped recipe.
        overrides: Settings as "training.lr=1e-4".
        resume: Go on from `last.ckpt` of the same folder, if there is one.
        quiet: No progress bar.

    Returns:
        Path of the weights.

    Raises:
        ConfigError: The recipe or a setting is wrong, or the folder already holds a training and
            `resume` is false.
        ScanError: Data cannot be read.
        WeightsError: The weights to start from do not fit.
    """
    settings = load_recipe(recipe, overrides)
    folder = Path(settings.run.folder)
    last = _last_checkpoint(folder, resume)
    # What is drawn after an interruption shall not be what was drawn before it.
    seed = settings.run.seed + (_epochs_done(last) if last else 0)
    lightning.seed_everything(seed, workers=True, verbose=False)
    model = create_model(settings.model.name, **settings.model.settings)
    if settings.model.weights is not None:
        load_weights(model, settings.model.weights, fresh=settings.model.fresh)
    data = SliceData(settings.data, settings.training)
    module = SegmentationModule(model, settings.training)
    trainer = _trainer(settings, folder, quiet)
    replace_file(folder / "recipe.json", settings.model_dump_json(indent=2).encode(), "recipe")
    with warnings.catch_warnings():
        for message in _NO_NEWS:
            warnings.filterwarnings("ignore", message)
        _fit(trainer, module, data, last)
    return _export(settings, folder, trainer)


def _fit(
    trainer: lightning.Trainer, module: SegmentationModule, data: SliceData, last: Path | None
) -> None:
    """Train; when interrupted, leave with the code that shells know (Lightning's are 0 and 1)."""
    try:
        trainer.fit(module, data, ckpt_path=last)
    except SystemExit as leaving:
        if trainer.interrupted:
            code = signal.SIGTERM if isinstance(leaving, SIGTERMException) else signal.SIGINT
            raise SystemExit(128 + code) from None
        raise


def _last_checkpoint(folder: Path, resume: bool) -> Path | None:
    last = folder / "checkpoints" / "last.ckpt"
    if not last.exists():
        return None
    if not resume:
        raise ConfigError(
            f"the folder {folder.name} already holds a training; expected an empty one. "
            "Go on with --resume, or choose another with --set run.folder=FOLDER."
        )
    return last


def _epochs_done(checkpoint: Path) -> int:
    """How many epochs are behind a checkpoint."""
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError):
        raise ConfigError(
            f"the checkpoint {checkpoint.name} cannot be read; expected the one that the training left. "
            "Put best.ckpt in its place, or begin anew in another folder."
        ) from None


def _trainer(settings: Recipe, folder: Path, quiet: bool) -> lightning.Trainer:
    training = settings.training
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR if quiet else logging.WARNING)
    limit = training.limit_batches
    return lightning.Trainer(
        accelerator=training.accelerator,
        devices=_devices(training),
        num_nodes=training.nodes,
        precision=_precision(training),
        max_epochs=training.epochs,
        gradient_clip_val=training.clip_norm,
        limit_train_batches=limit,
        limit_val_batches=limit,
        num_sanity_val_steps=0,
        logger=[CSVLogger(folder, "metrics"), TensorBoardLogger(folder, "tensorboard")],
        callbacks=_callbacks(training, folder),
        enable_progress_bar=not quiet,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _devices(training: TrainingConfig) -> int | str:
    """Devices on this machine: as many as torchrun started processes, if it did."""
    if training.devices == "auto" and "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ["LOCAL_WORLD_SIZE"])
    return training.devices


def _precision(training: TrainingConfig) -> Literal["32-true", "bf16-mixed"]:
    if training.precision != "auto":
        return training.precision
    fast = training.accelerator != "cpu" and torch.cuda.is_available()
    return "bf16-mixed" if fast and torch.cuda.is_bf16_supported() else "32-true"


def _callbacks(training: TrainingConfig, folder: Path) -> list[Callback]:
    callbacks: list[Callback] = [
        ModelCheckpoint(
            folder / "checkpoints",
            "best",
            monitor=_WATCHED,
            mode=_BETTER,
            enable_version_counter=False,
        ),
        # A second one: `save_last` beside a monitor keeps the last of the best, not the last epoch.
        ModelCheckpoint(folder / "checkpoints", "last", enable_version_counter=False),
        LearningRateMonitor(),
    ]
    if training.patience is not None:
        callbacks.append(EarlyStopping(_WATCHED, patience=training.patience, mode=_BETTER))
    if training.average_weights is not None:
        callbacks.append(EMAWeightAveraging(decay=training.average_weights))
    return callbacks


def _export(settings: Recipe, folder: Path, trainer: lightning.Trainer) -> Path:
    """The best checkpoint as a weights file; what is validated, averaged or not, is what is kept."""
    path = folder / WEIGHTS_FILE
    if trainer.is_global_zero:
        best = folder / "checkpoints" / "best.ckpt"
        state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
        content = encode_checkpoint(
            {name.removeprefix("model."): tensor for name, tensor in state.items()},
            model=settings.model.name,
            settings=settings.model.settings,
            recipe=settings.data.recipe.model_dump(mode="json"),
            dtype=torch.float16,
        )
        replace_file(path, content, "weights file")
    trainer.strategy.barrier()
    return path
