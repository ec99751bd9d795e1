"""U-Net (arXiv:1505.04597), with padding and batch normalisation, as liver segmentation papers use it."""

from __future__ import annotations

import itertools

import torch
from pydantic import Field
from torch import nn

from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Features, Logits

_LEVELS = 5


class UNetConfig(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=64, ge=1)
    """Channels of the first level; doubled at each of the four following ones."""


def _double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two convolutions with normalisation and ReLU."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class UNet(SingleOutput):
    """Maps images to one logit map of the same size."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        widths = [config.width * 2**level for level in range(_LEVELS)]
        pairs = list(itertools.pairwise(widths))
        self.first = _double_conv(config.input_channels, widths[0])
        self.down = nn.ModuleList(_double_conv(upper, lower) for upper, lower in pairs)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(lower, upper, 2, stride=2) for upper, lower in reversed(pairs)
        )
        self.join = nn.ModuleList(_double_conv(2 * upper, upper) for upper, _ in reversed(pairs))
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(widths[0], config.classes, 1)

    def _logits(self, x: Features) -> Logits:
        skips = [self.first(x)]
        for level in self.down:
            skips.append(level(self.pool(skips[-1])))
        x = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([up(x), skips.pop()], dim=1))
        out: Logits = self.head(x)
        return out
