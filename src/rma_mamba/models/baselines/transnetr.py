"""TransNetR (arXiv:2303.07428): a ResNet-50, and a decoder of residual blocks with transformer layers.

The authors' code computes attention over the batch and only supports 256x256 images; see `TokenTransformer`. Here a
token is one position at 1/8 of the resolution and a patch of 2x2 positions at 1/4: the same number of tokens, of the
same width, as the authors' code has rows.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from rma_mamba.models.baselines.blocks import Positive, Residual, conv_act, upsample
from rma_mamba.models.baselines.resnet import EXPANSION, ResNet
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.baselines.token_attention import AttentionOver, TokenTransformer
from rma_mamba.models.encoder_weights import RESNET, translate
from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Features, Images, Logits

_HEADS = 4
_leaky = partial(nn.LeakyReLU, 0.1)


class TransNetRConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=64, ge=4, multiple_of=4)
    """Channels of the decoder."""

    hidden: int = Field(default=2048, ge=1)
    """Width of the feed-forward part of the transformer layers."""

    encoder_width: int = Field(default=64, ge=4)
    """Channels of the first convolution of the encoder."""

    encoder_depths: tuple[Positive, Positive, Positive, Positive] = (3, 4, 6, 3)
    """Bottlenecks in the four encoder layers; the fourth is built as in the authors' code but never run."""

    attention_over: AttentionOver = "tokens"
    """Attend over the "tokens" of a slice or, as in the released network, over the "batch": masks then depend on the
    other slices of the batch."""


class ResidualTransformer(nn.Module):
    """Transformer layers between convolutions with a shortcut, followed by a residual block."""

    def __init__(self, in_channels: int, out_channels: int, transformer: TokenTransformer) -> None:
        super().__init__()
        self.first = conv_act(in_channels, out_channels, act=_leaky)
        self.transformer = transformer
        self.second = ConvNorm(out_channels, out_channels, 1, bias=True)
        self.shortcut = ConvNorm(in_channels, out_channels, 1, bias=True)
        self.act = _leaky()
        self.refine = Residual(out_channels, out_channels, _leaky)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width], with height and width preserved."""
        mixed = self.second(self.transformer(self.first(x)))
        out: Features = self.refine(self.act(mixed + self.shortcut(x)))
        return out


class TransNetR(SingleOutput):
    """Maps images to one logit map of the same size."""

    unused_parameters: ClassVar[tuple[str, ...]] = ("encoder.layer4.",)

    def __init__(self, config: TransNetRConfig) -> None:
        super().__init__(config)
        width, stem = config.width, config.encoder_width
        self.encoder = ResNet(stem, config.encoder_depths, config.input_channels)
        self.reduce = nn.ModuleList(
            conv_act(channels, width, 1, act=_leaky)
            for channels in (stem, *(EXPANSION * stem * 2**level for level in range(3)))
        )
        transformers = [
            TokenTransformer(
                width, patch=patch, heads=_HEADS, hidden=config.hidden, over=config.attention_over
            )
            for patch in (1, 2)
        ]
        self.join = nn.ModuleList(
            [
                *(ResidualTransformer(2 * width, width, each) for each in transformers),
                Residual(2 * width, width, _leaky),
            ]
        )
        self.head = nn.Conv2d(width, config.classes, 1)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of torchvision's ResNet-50, or of the whole network."""
        return translate(self, state, RESNET)

    def _logits(self, images: Images) -> Logits:
        maps = zip(self.reduce, self.encoder(images), strict=True)
        *skips, x = [reduce(each) for reduce, each in maps]
        for join in self.join:
            x = join(torch.cat([upsample(x), skips.pop()], dim=1))
        out: Logits = self.head(upsample(x))
        return out
