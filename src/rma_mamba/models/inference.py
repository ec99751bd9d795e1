"""Networks made ready to compute, not to learn."""

from __future__ import annotations

import copy

import torch
from torch import nn

from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.rma_mamba import RMAMamba
from rma_mamba.models.vss import SS2D

# What autocast would make half precision of, at every call: weights of matrix products.
_PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def for_inference(model: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy of a network that computes the same faster, and cannot be trained.

    Batch normalisation is folded into the convolutions, and an RMA-Mamba gives its last three maps alone.

    Args:
        model: Any network of `create_model`.
        dtype: Of the autocast that it will run under. Weights of matrix products are brought to it once,
            instead of at each call; float32 runs without autocast.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    if isinstance(model, RMAMamba):
        model.maps_returned = 3
    if dtype != torch.float32:
        _narrow(model, dtype)
    return model


def _narrow(model: nn.Module, dtype: torch.dtype) -> None:
    """Bring the weights of matrix products to a type of half precision."""
    for module in model.modules():
        if isinstance(module, _PRODUCTS):
            module.to(dtype)
        if isinstance(module, SS2D):
            module.x_proj_weight.data = module.x_proj_weight.data.to(dtype)
