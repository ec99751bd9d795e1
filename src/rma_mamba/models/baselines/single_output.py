"""Base class of the baselines that return a single logit map."""

from __future__ import annotations

from torch import nn

from rma_mamba.models.layers import run_padded
from rma_mamba.shapes import Images, Logits


class SingleOutput(nn.Module):
    """Maps images to one logit map of the same size; subclasses implement `_logits`."""

    def forward(self, images: Images) -> list[Logits]:
        """Images [slice, 3, height, width], height and width at least 32, to a logit map [slice, class, height, width].

        Raises:
            ConfigError: The images have a different shape.
        """
        return run_padded(images, lambda padded: [self._logits(padded)])

    def _logits(self, images: Images) -> Logits:
        """Logits of images whose height and width are multiples of 32."""
        raise NotImplementedError
