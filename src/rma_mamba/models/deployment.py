"""Networks prepared for inference."""

from __future__ import annotations

import copy

import torch
from torch import nn

from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.rma_mamba import RMAMamba
from rma_mamba.models.through_plane import ThroughPlaneScan
from rma_mamba.models.vss import SS2D

# Layers whose weights autocast would convert to half precision at every call.
_MATMUL_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def for_inference(model: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy of a network with the same outputs that runs faster and can no longer be trained.

    Batch normalisation is folded into the convolutions, and an RMA-Mamba returns only its three finest logit maps.

    Args:
        model: Any network of `create_model`.
        dtype: Autocast dtype for inference. The weights of convolutions and linear layers are converted once instead
            of at every call. With float32, run without autocast.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, ConvNorm):
            module.fold()
        if isinstance(module, RMAMamba):
            module.maps_returned = 3
    if dtype != torch.float32:
        _cast_weights(model, dtype)
    return model


def _cast_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert the weights of convolutions and linear layers to half precision."""
    for module in model.modules():
        if isinstance(module, _MATMUL_LAYERS):
            module.to(dtype)
        if isinstance(module, SS2D | ThroughPlaneScan):
            module.x_proj_weight.data = module.x_proj_weight.data.to(dtype)
