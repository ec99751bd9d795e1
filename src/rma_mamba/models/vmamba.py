"""VMamba (arXiv:2401.10166) as a feature extractor: four maps at 1/4, 1/8, 1/16 and 1/32."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from rma_mamba.models.layers import padded, residual_convs
from rma_mamba.models.vss import VSSBlock
from rma_mamba.shapes import Features, Images

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]

_HALF = 5  # layers of the stem up to its first nonlinearity


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
    """VSS blocks at one resolution, after `local` convolutions if there are any; `downsample` leads to the
    next stage (Identity at the last)."""

    def __init__(
        self, width: int, drop_paths: list[float], states: int, last: bool, local: nn.Sequential
    ) -> None:
        super().__init__()
        self.local = local
        self.blocks = nn.Sequential(*(VSSBlock(width, drop, states) for drop in drop_paths))
        self.downsample: nn.Module = nn.Identity()
        if not last:
            self.downsample = nn.Sequential(_ToFirst(), *_halve(width, 2 * width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[slice, height, width, channel] to what is tapped, and to what the next stage is given."""
        x = self.local(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = self.blocks(x)
        return x, self.downsample(x)


class VMambaConfig(BaseModel):
    """Everything that decides the shape of the encoder."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    width: int = Field(default=96, ge=2, multiple_of=2)
    """Channels of the encoder's first map; each further map has twice as many."""

    depths: tuple[Positive, Positive, Positive, Positive] = (2, 2, 5, 2)
    """VSS blocks of the encoder's four stages."""

    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Stochastic depth at the encoder's deepest block; rises linearly to it."""

    states: int = Field(default=1, ge=1)
    """Size of the state of one channel in every VSS block."""

    local_blocks: tuple[Count, Count, Count] = (0, 0, 0)
    """Residual convolutions at 1/2, 1/4 and 1/8, before the VSS blocks of their resolution. None in VMamba,
    which learns from many images what is near what; a few patients do not teach it."""

    local_hidden: tuple[Positive, Positive, Positive] = (64, 128, 128)
    """Channels inside each of them."""


class VMamba(nn.Module):
    """Four feature maps of an image; each leaves through a LayerNorm of its own."""

    def __init__(self, config: VMambaConfig) -> None:
        super().__init__()
        width, depths, states = config.width, config.depths, config.states
        self.widths = tuple(width * 2**level for level in range(len(depths)))
        self.patch_embed = nn.Sequential(
            *_halve(3, width // 2), _ToFirst(), nn.GELU(), *_halve(width // 2, width)
        )
        drop_paths = torch.linspace(0, config.drop_path, sum(depths), device="cpu").tolist()
        counts, hidden = (*config.local_blocks, 0, 0), (*config.local_hidden, 1, 1)
        self.half_local = residual_convs(counts[0], width // 2, hidden[0])
        self.layers = nn.ModuleList()
        for level, depth in enumerate(depths):
            first = sum(depths[:level])
            drops = drop_paths[first : first + depth]
            last = level == len(depths) - 1
            local = residual_convs(counts[level + 1], self.widths[level], hidden[level + 1])
            self.layers.append(Stage(self.widths[level], drops, states, last, local))
            self.add_module(f"outnorm{level}", nn.LayerNorm(self.widths[level]))
        self.apply(start_linear)

    def stem(self, images: Images) -> tuple[Features, Features]:
        """Half of the stem's channels at 1/2, and its output at 1/4 [slice, channel, height, width]."""
        half: Features = self.half_local(self.patch_embed[:_HALF](images))
        quarter: Features = self.patch_embed[_HALF:](half)
        return half, quarter

    def features(self, x: Features) -> list[Features]:
        """Four maps [slice, channel, height, width], finest first, of the stem's output."""
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
        maps = padded(images, lambda whole: self.features(self.stem(whole)[1]))
        sides = [(-(-height // step), -(-width // step)) for step in (4, 8, 16, 32)]
        return [each[..., :h, :w] for each, (h, w) in zip(maps, sides, strict=True)]


def start_linear(module: Any) -> None:
    """For `nn.Module.apply`: Linear layers start small, their biases at 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
