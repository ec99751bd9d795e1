"""Reverse Mamba attention (RMA, arXiv:2502.18232, section II-B)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from rma_mamba.models.layers import ConvNorm, resize
from rma_mamba.shapes import Features, Logits


class ReverseAttention(nn.Module):
    """Refine a coarser logit map by attending to where it predicts background.

    Args:
        width: Channels of the feature map.
        make_blocks: Creates the module before and after the attention: state-space blocks (RMA) or an identity (RA,
            in the paper's ablation).
        classes: Channels of the logit maps.
    """

    def __init__(
        self, width: int, make_blocks: Callable[[int], nn.Module], classes: int = 1
    ) -> None:
        super().__init__()
        self.st_block1 = make_blocks(width)
        self.st_block2 = make_blocks(width)
        self.ra_conv1 = ConvNorm(width, width, 3)
        self.ra_conv2 = ConvNorm(width, width, 3)
        self.ra_conv3 = nn.Conv2d(width, classes, 1)

    def forward(self, x: Features, coarse: Logits) -> tuple[Logits, Features]:
        """The coarse logits, resized to x and refined, and the features that refined them.

        With several classes, the attention is the mean of theirs: what is liver but not tumour keeps half of it.
        """
        coarse = resize(coarse, (x.shape[-2], x.shape[-1]))
        unexplained = self.ra_conv1(
            self.st_block1(x) * (1 - coarse.sigmoid()).mean(1, keepdim=True)
        )
        refined = self.ra_conv2(self.st_block2(unexplained) + x)
        return self.ra_conv3(refined) + coarse, refined
