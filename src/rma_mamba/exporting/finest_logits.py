"""A network with a single output, as MONAI expects it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from rma_mamba.models import create_model

PREFIX = "network."  # of the parameters


class FinestLogits(nn.Module):
    """A network of `create_model` of which only the logits of the highest resolution are returned.

    Args:
        model: Name for `create_model`.
        settings: Settings for `create_model`.
    """

    def __init__(self, model: str, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.network = create_model(model, **(settings or {}))

    def forward(self, images: Tensor) -> Tensor:
        """Images [slice, channel, height, width] in [0, 1] to logits [slice, class, height, width]."""
        maps: list[Tensor] = self.network(images)
        return maps[-1]
