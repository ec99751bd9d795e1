"""What most of the networks compared have in common: images of any size in, one map of logits out."""

from __future__ import annotations

from torch import nn

from rma_mamba.models.layers import run_padded
from rma_mamba.shapes import Images, Logits


class SingleOutput(nn.Module):
    """Images to one map of logits, at their size; a network says how by `_logits`."""

    def forward(self, images: Images) -> list[Logits]:
        """Images [slice, 3, height, width] of any size from 32 to one map [slice, 1, height, width].

        Raises:
            ConfigError: The images have another shape.
        """
        return run_padded(images, lambda whole: [self._logits(whole)])

    def _logits(self, images: Images) -> Logits:
        """Logits at the size of images whose sides are multiples of 32."""
        raise NotImplementedError
