"""VMamba (arXiv:2401.10166) as a feature extractor with four feature maps, at 1/4, 1/8, 1/16 and 1/32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rma_mamba.models.encoder_config import VMambaConfig
from rma_mamba.models.layers import residual_convs, run_padded
from rma_mamba.models.through_plane import ThroughPlaneBlock, ThroughPlaneBlocks
from rma_mamba.models.vss import VSSBlock
from rma_mamba.shapes import Features, Images

_HALF = 5  # layers of the stem up to its first nonlinearity


class _ToChannelsLast(nn.Module):
    """[slice, channel, height, width] to [slice, height, width, channel]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class _ToChannelsFirst(nn.Module):
    """[slice, height, width, channel] to [slice, channel, height, width]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


def _downsample(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1),
        _ToChannelsLast(),
        nn.LayerNorm(out_channels),
    ]


class Stage(nn.Module):
    """VSS blocks at one resolution, between optional `local` convolutions and `through_plane` scans; `downsample` leads
    to the next stage and is an identity in the last one."""

    def __init__(
        self,
        width: int,
        drop_paths: list[float],
        states: int,
        last: bool,
        local: nn.Sequential,
        through_plane: ThroughPlaneBlocks,
        expansion: int,
    ) -> None:
        super().__init__()
        self.local = local
        self.blocks = nn.Sequential(
            *(VSSBlock(width, drop, states, expansion) for drop in drop_paths)
        )
        self.through_plane = through_plane
        self.downsample: nn.Module = nn.Identity()
        if not last:
            self.downsample = nn.Sequential(_ToChannelsFirst(), *_downsample(width, 2 * width))

    def forward(self, x: Tensor, slices: int) -> tuple[Tensor, Tensor]:
        """[scan * slice, height, width, channel], with this number of slices per scan, to the feature map of this stage
        and the input of the next one."""
        x = self.local(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = self.through_plane(self.blocks(x), slices)
        return x, self.downsample(x)


class VMamba(nn.Module):
    """Maps images to four feature maps, each with its own LayerNorm."""

    def __init__(self, config: VMambaConfig) -> None:
        super().__init__()
        width, depths, states = config.width, config.depths, config.states
        self.input_channels = config.input_channels
        self.widths = tuple(width * 2**level for level in range(len(depths)))
        self.patch_embed = nn.Sequential(
            *_downsample(config.input_channels, width // 2),
            _ToChannelsFirst(),
            nn.GELU(),
            *_downsample(width // 2, width),
        )
        drop_paths = torch.linspace(0, config.drop_path, sum(depths), device="cpu").tolist()
        half, *levels = zip(config.local_blocks, config.local_hidden, strict=True)
        self.half_local = residual_convs(half[0], width // 2, half[1])
        self.layers = nn.ModuleList()
        for level, depth in enumerate(depths):
            first = sum(depths[:level])
            drops = drop_paths[first : first + depth]
            last = level == len(depths) - 1
            count, hidden = levels[level]
            local = residual_convs(count, self.widths[level], hidden)
            context = ThroughPlaneBlocks(config.through_plane[level], self.widths[level], states)
            stage = (self.widths[level], drops, states, last, local, context)
            self.layers.append(Stage(*stage, config.scan_expansion))
            self.add_module(f"outnorm{level}", nn.LayerNorm(self.widths[level]))
        self.apply(init_linear)
        for module in self.modules():
            if isinstance(module, ThroughPlaneBlock):
                module.reset()

    def stem(self, images: Images) -> tuple[Features, Features]:
        """The intermediate feature map of the stem at 1/2, and its output at 1/4."""
        half: Features = self.half_local(self.patch_embed[:_HALF](images))
        quarter: Features = self.patch_embed[_HALF:](half)
        return half, quarter

    def features(self, x: Features, slices: int = 1) -> list[Features]:
        """Four feature maps [slice, channel, height, width], finest first, from the output of the stem.

        Args:
            x: Output of the stem, for all slices of one or more scans.
            slices: Number of slices per scan.
        """
        maps = []
        for level, stage in enumerate(self.layers):
            tapped, x = stage(x, slices)
            maps.append(self.get_submodule(f"outnorm{level}")(tapped).permute(0, 3, 1, 2))
        return maps

    def forward(self, images: Images) -> list[Features]:
        """Images [slice, channel, height, width], height and width at least 32, to four feature maps, finest first.

        Raises:
            ConfigError: The images have a different shape.
        """
        height, width = images.shape[-2:]
        maps = run_padded(
            images,
            lambda whole: self.features(self.stem(whole)[1]),
            self.input_channels,
        )
        sides = [(-(-height // step), -(-width // step)) for step in (4, 8, 16, 32)]
        return [each[..., :h, :w] for each, (h, w) in zip(maps, sides, strict=True)]


def init_linear(module: Any) -> None:
    """Initialise a Linear layer with small weights and zero bias; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
