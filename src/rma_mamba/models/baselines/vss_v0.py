"""VMamba as first published (arXiv:2401.10166v1, "v0"): the parts used by segmentation networks.

Feature maps are [slice, height, width, channel]. Differences from `rma_mamba.models.vss`: 16 states, a gate parallel to
the scan, a bias in the depthwise convolution, no MLP after the scan, and patches of 4x4 pixels and 2x2 positions
instead of overlapping convolutions. Parameters are named as in VMamba v0 files.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.encoder_config import Positive
from rma_mamba.models.layers import DropPath
from rma_mamba.models.vss import SS2D
from rma_mamba.shapes import Images

STATES: Final = 16
Depths = tuple[Positive, Positive, Positive, Positive]


class GatedSS2D(SS2D):
    """Gated selective scan of a feature map in four directions (v0, figure 3)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, STATES)
        inner = 2 * width
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv2d = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        u, gate = self.in_proj(x).chunk(2, dim=-1)
        u = self.conv2d(u.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y = self.out_norm(self._scan(functional.silu(u).contiguous()))
        out: Tensor = self.out_proj(y * functional.silu(gate))
        return out


class VSSBlock(nn.Module):
    """x + SS2D(norm(x)) with stochastic depth and without an MLP."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.self_attention = GatedSS2D(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        out: Tensor = x + self.drop_path(self.self_attention(self.ln_1(x)))
        return out


def vss_blocks(width: int, drop_paths: Sequence[float]) -> nn.Sequential:
    """One VSS block per stochastic depth rate."""
    return nn.Sequential(*(VSSBlock(width, probability) for probability in drop_paths))


class PatchEmbed(nn.Module):
    """Linear embedding of 4x4 pixel patches."""

    def __init__(self, width: int, input_channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(input_channels, width, 4, stride=4)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Images) -> Tensor:
        """[slice, input channel, height, width] to [slice, height / 4, width / 4, channel]."""
        out: Tensor = self.norm(self.proj(images).permute(0, 2, 3, 1))
        return out


class PatchMerging(nn.Module):
    """Merge 2x2 positions into one with twice the channels; height and width are even."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to [slice, height / 2, width / 2, 2 channel]."""
        # Concatenate the positions of a patch column by column, as trained weights expect.
        batch, height, width, channels = x.shape
        patches = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
        patches = patches.permute(0, 1, 3, 4, 2, 5).flatten(3)
        out: Tensor = self.reduction(self.norm(patches))
        return out


class PatchExpand(nn.Module):
    """The inverse of merging: expand each position to scale x scale positions."""

    def __init__(self, in_channels: int, out_channels: int, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.expand = nn.Linear(in_channels, scale**2 * out_channels, bias=False)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, in_channels] to [slice, scale * height, scale * width, out_channels]."""
        batch, height, width, _ = x.shape
        patches = self.expand(x).reshape(batch, height, width, self.scale, self.scale, -1)
        patches = patches.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2)
        out: Tensor = self.norm(patches)
        return out


class VSSEncoder(nn.Module):
    """VMamba v0 without its classifier."""

    def __init__(
        self, width: int, depths: Depths, drop_path: float, input_channels: int = 3
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(width, input_channels)
        self.layers = nn.ModuleList()
        for level, drop_paths in enumerate(linear_drop_paths(drop_path, depths)):
            channels = width * 2**level
            parts: OrderedDict[str, nn.Module] = OrderedDict(
                blocks=vss_blocks(channels, drop_paths)
            )
            if level < len(depths) - 1:
                parts["downsample"] = PatchMerging(channels)
            self.layers.append(nn.Sequential(parts))

    def forward(self, images: Images) -> tuple[Tensor, list[Tensor]]:
        """Images to the deepest feature map and the inputs of the four stages, finest first.

        The inputs of the stages are the skip connections of these networks: at 1/4, 1/8, 1/16 and 1/32, with 1, 2, 4
        and 8 times the width in channels, each taken BEFORE the blocks of its resolution.
        """
        x = self.patch_embed(images)
        inputs = []
        for stage in self.layers:
            inputs.append(x)
            x = stage(x)
        return x, inputs


def linear_drop_paths(drop_path: float, depths: Sequence[int]) -> list[list[float]]:
    """Stochastic depth rates of the blocks of each stage, increasing linearly from 0 to `drop_path`."""
    rates = torch.linspace(0, drop_path, sum(depths), device="cpu").tolist()
    ends = itertools.accumulate(depths)
    return [rates[end - depth : end] for end, depth in zip(ends, depths, strict=True)]
