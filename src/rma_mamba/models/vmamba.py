"""VMamba (arXiv:2401.10166) as a feature extractor: four maps at 1/4, 1/8, 1/16 and 1/32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rma_mamba.models.layers import padded
from rma_mamba.models.vss import VSSBlock
from rma_mamba.shapes import Features, Images


class _ToLast(nn.Module):
    """[slice, channel, height, width] to [slice, height, width, channel]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class _ToFirst(nn.Module):
    """[slice, height, width, channel] to [slice, channel, height, width]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


def _halve(inside: int, outside: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inside, outside, 3, stride=2, padding=1),
        _ToLast(),
        nn.LayerNorm(outside),
    ]


class Stage(nn.Module):
    """VSS blocks at one resolution; `downsample` leads to the next stage (Identity at the last)."""

    def __init__(self, width: int, drop_paths: list[float], states: int, last: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(VSSBlock(width, drop, states) for drop in drop_paths))
        self.downsample: nn.Module = nn.Identity()
        if not last:
            self.downsample = nn.Sequential(_ToFirst(), *_halve(width, 2 * width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[slice, height, width, channel] to what is tapped, and to what the next stage is given."""
        x = self.blocks(x)
        return x, self.downsample(x)


class VMamba(nn.Module):
    """Four feature maps of an image; each leaves through a LayerNorm of its own.

    Args:
        width: Channels of the first map; each further map has twice as many.
        depths: VSS blocks of the four stages.
        drop_path: Probability of dropping a residual branch at the deepest block; rises linearly to it.
        states: Size of the state of one channel.
    """

    def __init__(
        self,
        width: int = 96,
        depths: tuple[int, int, int, int] = (2, 2, 5, 2),
        drop_path: float = 0.2,
        states: int = 1,
    ) -> None:
        super().__init__()
        self.widths = tuple(width * 2**level for level in range(len(depths)))
        self.patch_embed = nn.Sequential(
            *_halve(3, width // 2), _ToFirst(), nn.GELU(), *_halve(width // 2, width)
        )
        drop_paths = torch.linspace(0, drop_path, sum(depths), device="cpu").tolist()
        self.layers = nn.ModuleList()
        for level, depth in enumerate(depths):
            first = sum(depths[:level])
            drops = drop_paths[first : first + depth]
            last = level == len(depths) - 1
            self.layers.append(Stage(self.widths[level], drops, states, last))
            self.add_module(f"outnorm{level}", nn.LayerNorm(self.widths[level]))
        self.apply(_start_linear)

    def features(self, images: Images) -> list[Features]:
        """Four maps [slice, channel, height, width], finest first; sides must be multiples of 32."""
        x = self.patch_embed(images)
        maps = []
        for level, stage in enumerate(self.layers):
            tapped, x = stage(x)
            maps.append(self.get_submodule(f"outnorm{level}")(tapped).permute(0, 3, 1, 2))
        return maps

    def forward(self, images: Images) -> list[Features]:
        """Images [slice, 3, height, width] of any size from 32 to four maps, finest first.

        Raises:
            ConfigError: The images have another shape.
        """
        height, width = images.shape[-2:]
        maps = padded(images, self.features)
        sides = [(-(-height // step), -(-width // step)) for step in (4, 8, 16, 32)]
        return [each[..., :h, :w] for each, (h, w) in zip(maps, sides, strict=True)]


def _start_linear(module: Any) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
