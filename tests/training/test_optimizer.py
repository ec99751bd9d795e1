"""Optimisers are fused where Lightning allows it."""

from __future__ import annotations

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.optimizer import make_optimizer
from rma_mamba.training.precision import lightning_precision


def optimizer_of(precision: str, clip_norm: float | None) -> torch.optim.Optimizer:
    config = TrainingConfig.model_validate({"precision": precision, "clip_norm": clip_norm})
    return make_optimizer(torch.nn.Linear(2, 1), config)


@pytest.mark.parametrize("precision", ["auto", "32-true", "bf16-mixed"])
def test_gradients_can_be_clipped_in_every_precision(precision: str) -> None:
    optimizer = optimizer_of(precision, 1.0)
    chosen = lightning_precision(TrainingConfig.model_validate({"precision": precision}))
    if chosen == "bf16-mixed":
        MixedPrecision("bf16-mixed", "cpu").clip_gradients(optimizer, 1.0)
    else:
        assert optimizer.defaults["fused"]


def test_the_optimizer_is_fused_in_mixed_precision_without_clipping() -> None:
    assert optimizer_of("bf16-mixed", None).defaults["fused"]
