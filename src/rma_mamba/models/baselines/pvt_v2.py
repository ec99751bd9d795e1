"""Pyramid Vision Transformer v2 (arXiv:2106.13797), with parameters named as in timm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.baselines.blocks import init_token_layer
from rma_mamba.models.layers import DropPath
from rma_mamba.shapes import Features, Images

WIDTHS = (
    1,
    2,
    5,
    8,
)  # channels of the stages, as multiples of the first; also the numbers of heads
_REDUCTIONS = (8, 4, 2, 1)  # downsampling factor of keys and values
_MLP_RATIOS = (8, 8, 4, 4)
_LEVELS_USED = 3
_EPSILON = 1e-6


class PatchEmbed(nn.Module):
    """Overlapping patches as normalised tokens."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to [slice, height / stride, width / stride, channel]."""
        tokens: Tensor = self.norm(self.proj(x).permute(0, 2, 3, 1))
        return tokens


class ReducedAttention(nn.Module):
    """Spatial-reduction attention: each position attends to a downsampled feature map."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.sr = None
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        reduced = x
        if self.sr is not None:
            reduced = self.norm(self.sr(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        keys, values = self.kv(reduced).chunk(2, dim=-1)
        mixed = functional.scaled_dot_product_attention(
            self._heads(self.q(x)), self._heads(keys), self._heads(values)
        )
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(x.shape))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to [slice, head, position, channel]."""
        slices, *positions, channels = x.shape
        return x.reshape(
            slices, math.prod(positions), self.heads, channels // self.heads
        ).transpose(1, 2)


class Mlp(nn.Module):
    """Linear, depthwise 3x3 convolution, GELU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.dwconv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        x = self.dwconv(self.fc1(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = self.fc2(functional.gelu(x))
        return out


class Block(nn.Module):
    """Pre-norm attention and MLP with residual connections."""

    def __init__(
        self, width: int, heads: int, reduction: int, mlp_ratio: int, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = ReducedAttention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = Mlp(width, mlp_ratio * width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """[slice, height, width, channel] to the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out


class Stage(nn.Module):
    """Transformer blocks at one resolution; all stages but the first downsample their input."""

    def __init__(self, width: int, level: int, drop_paths: Sequence[float]) -> None:
        super().__init__()
        channels = WIDTHS[level] * width
        self.downsample = None
        if level > 0:
            self.downsample = PatchEmbed(WIDTHS[level - 1] * width, channels, 3, stride=2)
        self.blocks = nn.Sequential(
            *(
                Block(channels, WIDTHS[level], _REDUCTIONS[level], _MLP_RATIOS[level], drop_path)
                for drop_path in drop_paths
            )
        )
        self.norm = nn.LayerNorm(channels, eps=_EPSILON)

    def forward(self, x: Tensor) -> Features:
        """Turn tokens [slice, height, width, channel] (first stage) or the previous feature map into a feature map."""
        tokens = x if self.downsample is None else self.downsample(x)
        out: Features = self.norm(self.blocks(tokens)).permute(0, 3, 1, 2)
        return out


class PVTv2(nn.Module):
    """The three finest feature maps of PVTv2. The fourth stage is built but never run, since no network uses it.

    Args:
        width: Channels of the first stage and of each head; 64 in PVTv2-b3.
        depths: Blocks in the four stages; (3, 4, 18, 3) in PVTv2-b3.
        drop_path: Stochastic depth rate of the last block; increases linearly from 0.
        input_channels: Channels of the images.
    """

    def __init__(
        self, width: int, depths: Sequence[int], drop_path: float, input_channels: int = 3
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(input_channels, width, 7, stride=4)
        total, first = sum(depths), 0
        self.stages = nn.ModuleList()
        for level, depth in enumerate(depths):
            drop_paths = [drop_path * n / max(total - 1, 1) for n in range(first, first + depth)]
            self.stages.append(Stage(width, level, drop_paths))
            first += depth
        self.apply(init_token_layer)

    def forward(self, images: Images) -> list[Features]:
        """Feature maps at 1/4, 1/8 and 1/16, with 1, 2 and 5 times the width in channels."""
        maps: list[Features] = []
        for stage in self.stages[:_LEVELS_USED]:
            maps.append(stage(maps[-1] if maps else self.patch_embed(images)))
        return maps
