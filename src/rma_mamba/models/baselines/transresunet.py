"""TransResU-Net (arXiv:2206.08985): a ResNet-50, a bridge of attention and dilated convolutions, a residual decoder.

The authors' code computes attention over the batch, and its transformer is as wide as the bridge has positions, so that
it only supports 256x256 images; see `TokenTransformer`. Here a token is one position of the bridge, as wide as its 256
channels. The released network has 256 positions, so that the parameters are the same, but here any size works.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from rma_mamba.models.baselines.blocks import Positive, Residual, conv_act, upsample
from rma_mamba.models.baselines.resnet import EXPANSION, ResNet
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.baselines.token_attention import AttentionOver, TokenTransformer
from rma_mamba.models.encoder_weights import RESNET, translate
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Features, Images, Logits

_HEADS = 8
_DILATIONS = (1, 3, 6, 9)


class TransResUNetConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=256, ge=8, multiple_of=8)
    """Channels of each half of the bridge and of the first decoder block; halved at each following block."""

    hidden: int = Field(default=2048, ge=1)
    """Width of the feed-forward part of the transformer layers."""

    encoder_width: int = Field(default=64, ge=4)
    """Channels of the first convolution of the encoder."""

    encoder_depths: tuple[Positive, Positive, Positive] = (3, 4, 6)
    """Bottlenecks in the three encoder layers."""

    attention_over: AttentionOver = "tokens"
    """Attend over the "tokens" of a slice or, as in the released network, over the "batch": masks then depend on the
    other slices of the batch."""


class Dilated(nn.Module):
    """Four parallel 3x3 convolutions of increasing dilation, concatenated and fused."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            conv_act(in_channels, out_channels, dilation=dilation) for dilation in _DILATIONS
        )
        self.join = conv_act(len(_DILATIONS) * out_channels, out_channels, 1)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width], with height and width preserved."""
        out: Features = self.join(torch.cat([branch(x) for branch in self.branches], dim=1))
        return out


class TransResUNet(SingleOutput):
    """Maps images to one logit map of the same size."""

    def __init__(self, config: TransResUNetConfig) -> None:
        super().__init__(config)
        width, stem = config.width, config.encoder_width
        deepest = EXPANSION * stem * 4
        self.encoder = ResNet(stem, config.encoder_depths, config.input_channels)
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
        for level, skip in enumerate((deepest // 2, deepest // 4, stem, config.input_channels)):
            out_channels = width // 2**level
            self.join.append(
                nn.Sequential(
                    Residual(in_channels + skip, out_channels), Residual(out_channels, out_channels)
                )
            )
            in_channels = out_channels
        self.head = nn.Conv2d(in_channels, config.classes, 1)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of torchvision's ResNet-50 (without its fourth layer), or of the whole network."""
        return translate(self, state, RESNET)

    def _logits(self, images: Images) -> Logits:
        maps: list[Features] = self.encoder(images)
        *skips, deepest = [images, *maps]
        x = torch.cat([self.attend(deepest), self.dilated(deepest)], dim=1)
        for join in self.join:
            x = join(torch.cat([upsample(x), skips.pop()], dim=1))
        out: Logits = self.head(x)
        return out
