"""ResUNet++ (arXiv:1911.07067): a residual U-Net with squeeze-and-excitation, pyramid pooling and attention."""

from __future__ import annotations

import itertools

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from rma_mamba.models.baselines.blocks import SqueezeExcite
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Features, Images, Logits

_DILATIONS = (1, 6, 12, 18)
_LEVELS = 4


class ResUNetPlusPlusConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=16, ge=8, multiple_of=8)
    """Channels of the first level; doubled at each of the three following ones."""


def _pre_activation_conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Normalisation, ReLU and convolution."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)
    return nn.Sequential(nn.BatchNorm2d(in_channels), nn.ReLU(), convolution)


class Unit(nn.Module):
    """Pre-activation residual unit (arXiv:1603.05027): two convolutions with a 1x1 shortcut."""

    def __init__(
        self, in_channels: int, out_channels: int, first: nn.Module, stride: int = 1
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.first = first
        self.second = _pre_activation_conv(out_channels, out_channels)
        self.stride = stride
        self.shortcut = ConvNorm(in_channels, out_channels, 1, bias=True)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to height / stride and width / stride."""
        # Not a strided 1x1 convolution: its gradient for 8 channels corrupts memory in oneDNN (torch 2.13).
        subsampled = x[..., :: self.stride, :: self.stride]
        out: Features = self.second(self.first(x)) + self.shortcut(subsampled)
        return out


class Pyramid(nn.Module):
    """Sum of dilated convolutions, followed by a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            ConvNorm(in_channels, out_channels, 3, dilation=dilation, bias=True)
            for dilation in _DILATIONS
        )
        self.mix = nn.Conv2d(out_channels, out_channels, 1)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width], with height and width preserved."""
        out: Features = self.mix(torch.stack([branch(x) for branch in self.branches]).sum(0))
        return out


class Attention(nn.Module):
    """Weight a coarse feature map using itself and the encoder feature map at twice its size."""

    def __init__(self, skip: int, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(_pre_activation_conv(skip, width), nn.MaxPool2d(2))
        self.own = _pre_activation_conv(width, width)
        self.weigh = _pre_activation_conv(width, width)

    def forward(self, skip: Features, x: Features) -> Features:
        """Merge both feature maps into one shaped like x."""
        out: Features = x * self.weigh(self.gate(skip) + self.own(x))
        return out


class ResUNetPlusPlus(SingleOutput):
    """Maps images to one logit map of the same size."""

    def __init__(self, config: ResUNetPlusPlusConfig) -> None:
        super().__init__(config)
        widths = [config.width * 2**level for level in range(_LEVELS)]
        pairs = list(itertools.pairwise(widths))
        image = nn.Conv2d(config.input_channels, widths[0], 3, padding=1)
        self.stem = _with_squeeze_excite(Unit(config.input_channels, widths[0], image))
        self.down = nn.ModuleList(
            _with_squeeze_excite(
                Unit(upper, lower, _pre_activation_conv(upper, lower, stride=2), stride=2)
            )
            for upper, lower in pairs
        )
        self.bridge = Pyramid(widths[-1], 2 * widths[-1])
        self.attend = nn.ModuleList(Attention(upper, 2 * lower) for upper, lower in reversed(pairs))
        self.up = nn.ModuleList(
            _with_squeeze_excite(
                Unit(2 * lower + upper, lower, _pre_activation_conv(2 * lower + upper, lower))
            )
            for upper, lower in reversed(pairs)
        )
        self.last = Pyramid(widths[1], widths[0])
        self.head = nn.Conv2d(widths[0], config.classes, 1)

    def _logits(self, images: Images) -> Logits:
        skips = [self.stem(images)]
        for down in self.down:
            skips.append(down(skips[-1]))
        x = self.bridge(skips.pop())
        for attend, up in zip(self.attend, self.up, strict=True):
            skip = skips.pop()
            x = functional.interpolate(attend(skip, x), scale_factor=2, mode="nearest")
            x = up(torch.cat([x, skip], dim=1))
        out: Logits = self.head(self.last(x))
        return out


def _with_squeeze_excite(unit: Unit) -> nn.Sequential:
    """A residual unit, followed by squeeze-and-excitation."""
    return nn.Sequential(unit, SqueezeExcite(unit.out_channels, bias=False))
