"""Base class of the baselines that return a single logit map."""

from __future__ import annotations

from torch import nn

from rma_mamba.models.layers import run_padded
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Images, Logits


class SingleOutput(nn.Module):
    """Maps images to one logit map of the same size; subclasses implement `_logits`."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.input_channels = config.input_channels

    def forward(self, images: Images) -> list[Logits]:
        """Logits [slice, class, height, width] of images [slice, channel, height, width] of at least 32 x 32 pixels.

        Raises:
            ConfigError: The images have a different shape.
        """
        return run_padded(images, lambda padded: [self._logits(padded)], self.input_channels)

    def _logits(self, images: Images) -> Logits:
        """Logits of images whose height and width are multiples of 32."""
        raise NotImplementedError
