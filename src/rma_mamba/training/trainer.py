"""Lightning's trainer, configured with the devices, nodes, precision and loggers of a recipe."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from torch import nn

from rma_mamba.errors import BackendError
from rma_mamba.training.checkpoints import AtomicCheckpointIO
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.loggers import make_loggers
from rma_mamba.training.precision import lightning_precision


def make_trainer(
    training: TrainingConfig,
    folder: Path,
    callbacks: Sequence[Callback],
    model: nn.Module,
    *,
    quiet: bool,
    validate: bool = True,
) -> lightning.Trainer:
    """Create the trainer of a training run.

    Args:
        training: Settings of the recipe.
        folder: Run folder.
        callbacks: Callbacks in addition to Lightning's own.
        model: The network; whether it has unused parameters decides the distribution strategy.
        quiet: Hide the progress bar and all messages except errors.
        validate: Whether there are validation patients.

    Raises:
        BackendError: The package of a logger is not installed.
        BackendError: The devices or nodes are not available.
    """
    _check_sync_norms(training)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR if quiet else logging.WARNING)
    loggers = make_loggers(training.loggers, folder)
    limit = training.limit_batches
    limit_val = limit if validate else 0
    try:
        return lightning.Trainer(
            accelerator=training.accelerator,
            devices=_devices(training),
            num_nodes=training.nodes,
            strategy=_strategy(training, model),
            plugins=_plugins(),
            precision=lightning_precision(training),
            max_epochs=training.epochs,
            accumulate_grad_batches=training.accumulate,
            gradient_clip_val=training.clip_norm,
            sync_batchnorm=training.sync_norms and _is_parallel(training),
            limit_train_batches=limit,
            limit_val_batches=limit_val,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # EpochSampler and ValidationBatchSampler distribute the slices
            logger=loggers,
            callbacks=list(callbacks),
            enable_progress_bar=not quiet,
            enable_model_summary=False,
            default_root_dir=folder,
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BackendError(
            f"the devices cannot be used ({reason}); expected devices that are available. Change "
            "training.accelerator, training.devices or training.nodes."
        ) from None


def _devices(training: TrainingConfig) -> int | str:
    """Number of devices on this node: the number of processes that torchrun or SLURM started, if any."""
    if training.devices == "auto":
        if "TORCHELASTIC_RUN_ID" in os.environ:
            return int(os.environ["LOCAL_WORLD_SIZE"])
        if SLURMEnvironment.detect() and "SLURM_NTASKS_PER_NODE" in os.environ:
            return int(os.environ["SLURM_NTASKS_PER_NODE"])
    return training.devices


def _strategy(training: TrainingConfig, model: nn.Module) -> str:
    """Parameters without a gradient block the devices forever, unless DDP searches for them."""
    unused = bool(getattr(model, "unused_parameters", ())) or training.freeze_encoder_epochs > 0
    return "ddp_find_unused_parameters_true" if unused and _is_parallel(training) else "auto"


def _is_parallel(training: TrainingConfig) -> bool:
    devices = _devices(training)
    if devices == "auto":
        devices = torch.cuda.device_count() if training.accelerator in ("auto", "gpu") else 1
    return int(devices) * training.nodes > 1


def _check_sync_norms(training: TrainingConfig) -> None:
    """PyTorch synchronises batch normalisation on GPUs only."""
    on_gpu = training.accelerator not in ("cpu", "mps") and torch.cuda.is_available()
    if training.sync_norms and _is_parallel(training) and not on_gpu:
        raise BackendError(
            "training.sync_norms is set for several devices that are not GPUs; expected GPUs, or a single device. "
            "Remove the setting, or change training.accelerator or training.devices."
        )


def _plugins() -> list[Any]:
    plugins: list[Any] = [AtomicCheckpointIO()]
    if SLURMEnvironment.detect():
        # A requeued SLURM job resumes from its last epoch; Lightning would resume in the middle of one.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins
