"""TransResU-Net (arXiv:2206.08985): a ResNet-50, a bridge of attention and dilated convolutions, a residual decoder.

The authors' code runs attention over the batch, and its transformer is as wide as the bridge has places, so that it
takes images of 256x256 only; see `TokenTransformer`. Here a token is a place of the bridge, as wide as its channels:
256 like the places, so that the parameters are the same, and any size works.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from rma_mamba.models.baselines.blocks import Positive, Residual, conv_act, upsample
from rma_mamba.models.baselines.resnet import EXPANSION, ResNet
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.baselines.token_attention import AttentionOver, TokenTransformer
from rma_mamba.models.encoder_weights import RESNET, translate
from rma_mamba.shapes import Features, Images, Logits

_HEADS = 8
_DILATIONS = (1, 3, 6, 9)


class TransResUNetConfig(BaseModel):
    """Everything that decides the shape of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    width: int = Field(default=256, ge=8, multiple_of=8)
    """Channels of each half of the bridge and of the decoder's first block; each further block has half."""

    hidden: int = Field(default=2048, ge=1)
    """Width of the feed-forward part of the transformer layers."""

    encoder_width: int = Field(default=64, ge=4)
    """Channels of the encoder's first convolution."""

    encoder_depths: tuple[Positive, Positive, Positive] = (3, 4, 6)
    """Bottlenecks of the encoder's three layers."""

    attention_over: AttentionOver = "tokens"
    """tokens: of one slice; batch: as released, a mask depends on the other slices of its batch."""


class Dilated(nn.Module):
    """Four convolutions of 3x3 with growing gaps, side by side, made one."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            conv_act(in_channels, out_channels, dilation=dilation) for dilation in _DILATIONS
        )
        self.join = conv_act(len(_DILATIONS) * out_channels, out_channels, 1)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same height and width."""
        out: Features = self.join(torch.cat([branch(x) for branch in self.branches], dim=1))
        return out


class TransResUNet(SingleOutput):
    """Images to one map of logits, at their size."""

    def __init__(self, config: TransResUNetConfig) -> None:
        super().__init__()
        width, stem = config.width, config.encoder_width
        deepest = EXPANSION * stem * 4
        self.encoder = ResNet(stem, config.encoder_depths)
        self.attend = nn.Sequential(
            conv_act(deepest, width, 1),
            TokenTransformer(
                width, patch=1, heads=_HEADS, hidden=config.hidden, over=config.attention_over
            ),
            conv_act(width, width),
        )
        self.dilated = Dilated(deepest, width)
        self.join = nn.ModuleList()
        in_channels = 2 * width
        for level, skip in enumerate((deepest // 2, deepest // 4, stem, 3)):
            out_channels = width // 2**level
            self.join.append(
                nn.Sequential(
                    Residual(in_channels + skip, out_channels), Residual(out_channels, out_channels)
                )
            )
            in_channels = out_channels
        self.head = nn.Conv2d(in_channels, 1, 1)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Own names of a file: torchvision's ResNet-50, whose fourth layer is left out, or the whole network."""
        return translate(self, state, RESNET)

    def _logits(self, images: Images) -> Logits:
        maps: list[Features] = self.encoder(images)
        *skips, deepest = [images, *maps]
        x = torch.cat([self.attend(deepest), self.dilated(deepest)], dim=1)
        for join in self.join:
            x = join(torch.cat([upsample(x), skips.pop()], dim=1))
        out: Logits = self.head(x)
        return out
