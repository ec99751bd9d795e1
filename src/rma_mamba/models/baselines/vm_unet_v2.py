"""VM-UNetV2 (arXiv:2403.09157): a VMamba v0 encoder, and a decoder in which every level receives all four.

The authors' code takes the four feature maps BEFORE the blocks of their stages. The output of the deepest blocks is
therefore unused, two of four heads and one deconvolution are never run, and none of these is ever trained. This is
reproduced, so that size, cost and results are those of the released network; `unused_parameters` lists them.
The authors' code ends in a sigmoid; this network returns logits.
"""

from __future__ import annotations

from typing import ClassVar, Final

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.baselines.single_output import SingleOutput
from rma_mamba.models.baselines.vss_v0 import Depths, VSSEncoder
from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.models.vmamba import init_linear
from rma_mamba.models.vmamba_v0_weights import translate
from rma_mamba.shapes import Features, Images, Logits

_REDUCTION: Final = 16  # of channel attention
_LEVELS: Final = 4

# Prefixes of parameters in the authors' files and their names here.
_RELEASED: Final = {
    "vmunet.": "encoder.",
    "seg_outs.": "heads.",
    "deconv6.": "last.",
    **{f"deconv{number + 2}.": f"deconvs.{number}." for number in range(_LEVELS)},
    **{
        f"{theirs}_{level + 1}.": f"{ours}.{level}."
        for theirs, ours in {
            "ca": "channels",
            "sa": "positions",
            "Translayer": "reduce",
            "sdi": "fuse",
        }.items()
        for level in range(_LEVELS)
    },
}


class VMUNetV2Config(NetworkConfig):
    """Settings of the network."""

    width: int = Field(default=96, ge=16, multiple_of=16)
    """Channels at a quarter of the input resolution; doubled at each coarser level."""

    depths: Depths = (2, 2, 9, 2)
    """VSS blocks in the four encoder stages, finest first."""

    decoder_width: int = Field(default=48, ge=1)
    """Channels of every feature map in the decoder."""

    drop_path: float = Field(default=0.2, ge=0, lt=1)
    """Stochastic depth rate of the last block of the encoder; increases linearly from 0."""


class ChannelAttention(nn.Module):
    """Channel attention from the mean and the maximum over positions (CBAM, arXiv:1807.06521)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // _REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(width // _REDUCTION, width, 1, bias=False)

    def forward(self, x: Features) -> Features:
        """Feature map to a feature map of the same shape."""
        pooled = (x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True))
        mean, maximum = (self.fc2(functional.relu(self.fc1(each))) for each in pooled)
        return x * torch.sigmoid(mean + maximum)


class SpatialAttention(nn.Module):
    """Spatial attention from the mean and the maximum over channels (CBAM)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Features) -> Features:
        """Feature map to a feature map of the same shape."""
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv1(both))


class Fusion(nn.Module):
    """Product of all levels, each resampled and convolved (SDI, arXiv:2311.17791)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(_LEVELS))

    def forward(self, levels: list[Features], size: tuple[int, int]) -> Features:
        """Levels of any size to one feature map of size (height, width)."""
        first, *others = (
            conv(_resample(level, size)) for conv, level in zip(self.convs, levels, strict=True)
        )
        out: Features = first
        for each in others:
            out = out * each
        return out


def _resample(x: Features, size: tuple[int, int]) -> Features:
    if x.shape[-2] > size[0]:
        return functional.adaptive_avg_pool2d(x, size)
    if x.shape[-2] < size[0]:
        return functional.interpolate(x, size=size, mode="bilinear", align_corners=True)
    return x


class VMUNetV2(SingleOutput):
    """Maps images to one logit map of the same size."""

    # Prefixes of 8,948,834 parameters of the full-size network.
    unused_parameters: ClassVar[tuple[str, ...]] = (
        "encoder.layers.3.",
        "heads.0.",
        "heads.1.",
        "deconvs.3.",
    )

    def __init__(self, config: VMUNetV2Config) -> None:
        super().__init__(config)
        widths = [config.width * 2**level for level in range(_LEVELS)]
        narrow = config.decoder_width
        self.encoder = VSSEncoder(
            config.width, config.depths, config.drop_path, config.input_channels
        )
        self.encoder.apply(init_linear)
        self.channels = nn.ModuleList(ChannelAttention(width) for width in widths)
        self.positions = nn.ModuleList(SpatialAttention() for _ in widths)
        self.reduce = nn.ModuleList(ConvNorm(width, narrow, 1) for width in widths)
        self.fuse = nn.ModuleList(Fusion(narrow) for _ in widths)
        self.deconvs = nn.ModuleList(
            nn.ConvTranspose2d(narrow, narrow, 4, stride=2, padding=1, bias=False) for _ in widths
        )
        self.heads = nn.ModuleList(nn.Conv2d(narrow, config.classes, 1) for _ in widths)
        self.last = nn.ConvTranspose2d(
            config.classes, config.classes, 3, stride=2, padding=1, output_padding=1
        )

    def _logits(self, images: Images) -> Logits:
        levels = self._levels(images)
        sizes = [(each.shape[-2], each.shape[-1]) for each in levels]
        fine, middle, coarse, x = (
            fuse(levels, size) for fuse, size in zip(self.fuse, sizes, strict=True)
        )
        maps = []
        for deconv, finer in zip(self.deconvs[:3], (coarse, middle, fine), strict=True):
            x = deconv(x) + finer
            maps.append(x)
        *_, eighth, quarter = maps
        coarser: Logits = self.last(_upsample_4x(self.heads[2](eighth)))
        return _upsample_4x(self.heads[3](quarter)) + coarser

    def _levels(self, images: Images) -> list[Features]:
        """Four feature maps of the decoder width, finest first."""
        _, inputs = self.encoder(images)
        parts = zip(inputs, self.channels, self.positions, self.reduce, strict=True)
        return [
            reduce(positions(channels(x.permute(0, 3, 1, 2))))
            for x, channels, positions, reduce in parts
        ]

    def translate_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a VMamba v0 file or of the authors' (see `vmamba_v0_weights`)."""
        return translate(self, state, _RELEASED)


def _upsample_4x(x: Logits) -> Logits:
    return functional.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
