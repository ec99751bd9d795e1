"""A real network that is small enough for tests, with weights that depend on the image."""

from pathlib import Path

import torch
from torch import nn

from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint

SETTINGS = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
# Tables of a training recipe.
MODEL = {
    "name": "rma-mamba-n",
    "settings": {"width": 8, "depths": [1, 1, 1, 1], "decoder_width": 8},
}
TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "lr": 3e-3,
    "workers": 0,
    "accelerator": "cpu",
    "precision": "32-true",  # the same on every processor
}
RECIPE = {"size": 32, "spacing_mm": 3.0, "neighbours": True}


def tiny_network() -> nn.Module:
    """An RMA-Mamba with strong heads, so that its maps have structure; move its border with `shift`."""
    torch.manual_seed(0)
    model = create_model("rma-mamba-n", **SETTINGS).eval()
    with torch.no_grad():
        for module in (
            model.out_conv1,
            *(getattr(model, f"attention{i}").ra_conv3 for i in (1, 2, 3)),
        ):
            module.weight.mul_(30)
    return model


def shift(model: nn.Module, amount: float) -> None:
    """Add to every logit of the finest map."""
    with torch.no_grad():
        model.attention1.ra_conv3.bias += amount


def tiny_weights(path: Path) -> Path:
    """A weights file of that network."""
    state = tiny_network().state_dict()
    content = encode_checkpoint(state, model="rma-mamba-n", settings=SETTINGS, recipe=RECIPE)
    path.write_bytes(content)
    return path
