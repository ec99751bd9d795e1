"""Double-UNet (arXiv:2006.04868): a U-Net on VGG-19 weights the image, and a second U-Net segments the result."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.baselines.blocks import SqueezeExcite, conv_act, upsample
from rma_mamba.models.baselines.vgg import VGG19
from rma_mamba.models.encoder_weights import VGG, translate
from rma_mamba.models.layers import run_padded
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Features, Images, Logits

_DILATIONS = (6, 12, 18)


class DoubleUNetConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=64, ge=16, multiple_of=16)
    """Channels of the first level of the first encoder and of the pyramid pooling; all others are derived from it."""


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling (arXiv:1706.05587)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.pooled = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.pooled_bn = nn.BatchNorm2d(out_channels)
        self.branches = nn.ModuleList([conv_act(in_channels, out_channels, 1, bias=False)])
        for dilation in _DILATIONS:
            self.branches.append(conv_act(in_channels, out_channels, dilation=dilation, bias=False))
        self.join = conv_act((2 + len(_DILATIONS)) * out_channels, out_channels, 1, bias=False)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width], with height and width preserved."""
        # Expand before normalising: the statistics are the same, and a batch of one slice can be trained on.
        pooled = self.pooled(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        maps = [functional.relu(self.pooled_bn(pooled)), *(branch(x) for branch in self.branches)]
        out: Features = self.join(torch.cat(maps, dim=1))
        return out


class Decoder(nn.Module):
    """Four levels, each upsampled by two and concatenated with the skip connections, and a logit head."""

    def __init__(
        self, in_channels: int, skips: Sequence[int], widths: Sequence[int], classes: int
    ) -> None:
        super().__init__()
        self.join = nn.ModuleList(
            _double_conv(lower + skip, width)
            for lower, skip, width in zip((in_channels, *widths[:-1]), skips, widths, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], classes, 1)

    def forward(self, x: Features, skips: Sequence[Sequence[Features]]) -> Logits:
        """The bottleneck x and the skip connections of each level, coarsest first, to logits at the finest level."""
        for join, level in zip(self.join, skips, strict=True):
            x = join(torch.cat([upsample(x), *level], dim=1))
        out: Logits = self.head(x)
        return out


class DoubleUNet(nn.Module):
    """Maps images to two logit maps of the same size: the weighting of the image, then the prediction."""

    def __init__(self, config: DoubleUNetConfig) -> None:
        super().__init__()
        width = config.width
        self.input_channels = config.input_channels
        coarse = [8 * width, 4 * width, 2 * width, width]  # skip connections of the first encoder
        fine = [
            4 * width,
            2 * width,
            width,
            width // 2,
        ]  # skip connections of the second encoder, and widths of both decoders
        self.encoder = VGG19(width, config.input_channels)
        self.pyramid = Pyramid(8 * width, width)
        self.decoder = Decoder(width, coarse, fine, config.classes)
        self.second_encoder = nn.ModuleList(
            _double_conv(in_channels, out_channels)
            for in_channels, out_channels in itertools.pairwise(
                [config.input_channels, *reversed(fine)]
            )
        )
        self.second_pyramid = Pyramid(fine[0], width)
        both = [first + second for first, second in zip(coarse, fine, strict=True)]
        self.second_decoder = Decoder(width, both, fine, config.classes)

    def forward(self, images: Images) -> list[Logits]:
        """Images [slice, channel, height, width], height and width at least 32, to two logit maps of this size.

        Raises:
            ConfigError: The images have a different shape.
        """
        return run_padded(images, self._logits, self.input_channels)

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of torchvision's VGG-19, or of the whole network."""
        return translate(self, state, VGG)

    def _logits(self, images: Images) -> list[Logits]:
        *finer, deepest = self.encoder(images)
        finer.reverse()
        first = self.decoder(self.pyramid(deepest), [[each] for each in finer])
        x, maps = images * first.sigmoid().amax(1, keepdim=True), []
        for level in self.second_encoder:
            x = level(x)
            maps.append(x)
            x = functional.max_pool2d(x, 2)
        skips = list(zip(finer, reversed(maps), strict=True))
        return [first, self.second_decoder(self.second_pyramid(x), skips)]


def _double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two convolutions with normalisation and ReLU, followed by squeeze-and-excitation."""
    return nn.Sequential(
        conv_act(in_channels, out_channels, bias=False),
        conv_act(out_channels, out_channels, bias=False),
        SqueezeExcite(out_channels, bias=True),
    )
