"""UNeXt (arXiv:2203.04967): convolutions at high resolution, shifted MLPs on tokens at low resolution.

The first convolution takes 3 channels by default, as in the authors' code.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.baselines.blocks import Positive, init_token_layer
from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Features, Logits

_REACH = 2  # chunks of channels are shifted by -2, -1, 0, 1 and 2 positions
_CONVOLUTIONS = 3  # levels without tokens


class UNeXtConfig(NetworkConfig):
    """Settings of the network."""

    widths: tuple[Positive, Positive, Positive, Positive, Positive] = (16, 32, 128, 160, 256)
    """Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input resolution; the last two levels use tokens."""


def shifted(x: Features, dim: int) -> Features:
    """Shift five chunks of channels along an axis by -2, -1, 0, 1 and 2 positions, with zero padding."""
    padding = (0, 0, _REACH, _REACH) if dim == 2 else (_REACH, _REACH)
    chunks = functional.pad(x, padding).chunk(2 * _REACH + 1, dim=1)
    moved = [
        chunk.narrow(dim, _REACH - shift, x.shape[dim])
        for shift, chunk in zip(range(-_REACH, _REACH + 1), chunks, strict=False)
    ]
    return torch.cat(moved, dim=1)


class ShiftedBlock(nn.Module):
    """A residual MLP; channels are shifted along height before its first layer and along width before its second."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width)
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.fc2 = nn.Linear(width, width)
        self.apply(init_token_layer)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same shape."""
        tall = shifted(_per_position(self.norm, x), dim=2)
        mixed = functional.gelu(self.dwconv(_per_position(self.fc1, tall)))
        return x + _per_position(self.fc2, shifted(mixed, dim=3))


class TokenStage(nn.Module):
    """A shifted block, followed by a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = ShiftedBlock(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same shape."""
        return _per_position(self.norm, self.block(x))


class PatchEmbed(nn.Module):
    """Overlapping 3x3 patches at half the resolution, normalised."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(out_channels)
        self.apply(init_token_layer)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to half the height and width."""
        return _per_position(self.norm, self.proj(x))


class UNeXt(SingleOutput):
    """Maps images to one logit map of the same size."""

    def __init__(self, config: UNeXtConfig) -> None:
        super().__init__(config)
        widths = config.widths
        pairs = list(itertools.pairwise(widths))
        tokens = widths[_CONVOLUTIONS:]
        self.convolutions = nn.ModuleList(
            ConvNorm(in_channels, out_channels, 3, bias=True)
            for in_channels, out_channels in itertools.pairwise(
                (config.input_channels, *widths[:_CONVOLUTIONS])
            )
        )
        self.embed = nn.ModuleList(
            PatchEmbed(in_channels, out_channels)
            for in_channels, out_channels in pairs[_CONVOLUTIONS - 1 :]
        )
        self.encode = nn.ModuleList(TokenStage(width) for width in tokens)
        self.up = nn.ModuleList(
            ConvNorm(lower, upper, 3, bias=True) for upper, lower in reversed(pairs)
        )
        self.decode = nn.ModuleList(
            TokenStage(width) for width in reversed(widths[_CONVOLUTIONS - 1 : -1])
        )
        self.last = nn.Conv2d(widths[0], widths[0], 3, padding=1)
        self.head = nn.Conv2d(widths[0], config.classes, 1)

    def _logits(self, x: Features) -> Logits:
        skips = []
        for convolution in self.convolutions:
            x = functional.relu(functional.max_pool2d(convolution(x), 2))
            skips.append(x)
        for embed, encode in zip(self.embed, self.encode, strict=True):
            x = encode(embed(x))
            skips.append(x)
        x = skips.pop()
        stages = [*self.decode, *[nn.Identity()] * (len(self.up) - len(self.decode))]
        for up, stage in zip(self.up, stages, strict=True):
            x = stage(_upsample_2x(up(x)) + skips.pop())
        out: Logits = self.head(_upsample_2x(self.last(x)))
        return out


def _per_position(layer: nn.Module, x: Features) -> Features:
    """Apply a layer to the channels of each position."""
    out: Tensor = layer(x.permute(0, 2, 3, 1))
    return out.permute(0, 3, 1, 2)


def _upsample_2x(x: Features) -> Features:
    x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return functional.relu(x)
