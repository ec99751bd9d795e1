"""A network on PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rma_mamba.errors import ConfigError
from rma_mamba.inference.device import choose_device
from rma_mamba.inference.weights_choice import misfit_error, trained_weights
from rma_mamba.models import checkpoint_settings, create_model, for_inference
from rma_mamba.models.weights import Checkpoint, read_checkpoint
from rma_mamba.ops.after_fork import survives_fork

if TYPE_CHECKING:
    from torch import nn

    from rma_mamba.inference.tta import Images, Logits


def load_network(model: str | Path, device: str) -> tuple[nn.Module, Checkpoint]:
    """A network with trained weights, and the content of its file.

    Raises:
        WeightsError: The weights are missing, corrupt or do not fit the network.
        BackendError: The device cannot be used.
    """
    choose_device(device)
    checkpoint = trained_weights(model, read_checkpoint)
    try:
        network = create_model(checkpoint.model, **checkpoint_settings(checkpoint))
        network.load_state_dict(checkpoint.state)
    except (ConfigError, RuntimeError):
        raise misfit_error(checkpoint.model) from None
    return network, checkpoint


@survives_fork
def prepared(
    model: Any, device: str, precision: str
) -> tuple[nn.Module, torch.device, torch.dtype]:
    """The network as it runs, its device, and the type of its matrix products."""
    chosen = choose_device(device)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return for_inference(model, dtype).to(chosen), chosen, dtype


@survives_fork
def run(
    model: nn.Module, images: Images, count: int, device: torch.device, dtype: torch.dtype
) -> list[Logits]:
    """The last `count` logit maps, or as many as the network has, float32, finest last."""
    half = dtype != torch.float32
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=half):
        maps: list[Any] = model(torch.from_numpy(images).to(device))
        return [each.float().cpu().numpy() for each in maps[-count:]]
