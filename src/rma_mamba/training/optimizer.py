"""Optimisers and learning rate schedules."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from rma_mamba.errors import ConfigError
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.precision import lightning_precision

_PLATEAU_FACTOR, _PLATEAU_PATIENCE = 0.1, 5  # as in the paper
_ENCODER = "encoder"


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser of a recipe, without weight decay for vectors and with the encoder's own learning rate."""
    separate = config.encoder_lr_factor != 1
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        key = separate and name.startswith(f"{_ENCODER}."), parameter.ndim <= 1
        groups.setdefault(key, []).append(parameter)
    optimizer = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return optimizer(
        [
            {
                "params": parameters,
                "weight_decay": 0.0 if vector else config.weight_decay,
                "lr": config.lr * (config.encoder_lr_factor if encoder else 1),
            }
            for (encoder, vector), parameters in sorted(groups.items(), key=lambda each: each[0])
        ],
        lr=config.lr,
        fused=True if _can_be_fused(model, config) else None,  # None: torch chooses
    )


def _can_be_fused(model: nn.Module, config: TrainingConfig) -> bool:
    """Whether all parameters can be updated in one pass, which saves a twentieth of a training step on a CPU.

    Lightning does not clip gradients in mixed precision if the optimiser is fused.
    """
    clipped = config.clip_norm is not None and lightning_precision(config) == "bf16-mixed"
    return not clipped and all(each.device.type == "cpu" for each in model.parameters())


def check_encoder(model: nn.Module, config: TrainingConfig) -> None:
    """Check that the network has an encoder if the recipe has settings for it.

    Raises:
        ConfigError: It has no encoder.
    """
    special = config.encoder_lr_factor != 1 or config.freeze_encoder_epochs > 0
    if special and not hasattr(model, _ENCODER):
        raise ConfigError(
            "training.encoder_lr_factor or training.freeze_encoder_epochs is set, but the network has no "
            "submodule named encoder; expected an RMA-Mamba. Remove these settings or choose another model.name."
        )


def plateau_schedule(optimizer: torch.optim.Optimizer) -> ReduceLROnPlateau:
    """Multiply the learning rate by 0.1 after 5 epochs without a lower validation loss."""
    return ReduceLROnPlateau(optimizer, factor=_PLATEAU_FACTOR, patience=_PLATEAU_PATIENCE)


def cosine_schedule(
    optimizer: torch.optim.Optimizer, config: TrainingConfig, steps: int
) -> LambdaLR:
    """Linear warm-up, then half a cosine down to zero at `steps`."""
    return LambdaLR(optimizer, partial(_cosine, warmup=config.warmup_steps, steps=steps))


def _cosine(step: int, warmup: int, steps: int) -> float:
    """Factor of the learning rate at a step."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
