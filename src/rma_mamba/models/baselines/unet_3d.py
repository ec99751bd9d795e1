"""3-D U-Net (arXiv:1606.06650) with residual blocks and instance normalisation, as a yardstick for whole-scan context.

Most of the work is done at half the in-plane resolution: 2 x 2 pixels are rearranged into channels at the input and
back at the output (arXiv:1609.05158), which makes voxels of 2 x 2 x 5 mm nearly isotropic.
"""

from __future__ import annotations

import itertools

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.layers import run_padded
from rma_mamba.models.network_config import NetworkConfig
from rma_mamba.shapes import Images, Logits


class UNet3DConfig(NetworkConfig):
    """Settings of the network."""

    widths: tuple[int, ...] = Field(default=(32, 64, 96, 128), min_length=2)
    """Channels of each level; from the second level on, all three axes are halved."""
    input_channels: int = Field(default=4, ge=1)
    """Channels of the images: neighbouring slices, and the plane that states the modality."""

    @property
    def sees_whole_scan(self) -> bool:
        """Whether the result of a slice depends on the other slices of its scan."""
        return True


class _ConvNorm(nn.Sequential):
    """3 x 3 x 3 convolution, instance normalisation, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.InstanceNorm3d(out_channels, affine=True),
            nn.LeakyReLU(0.01, inplace=True),
        )


class _Residual(nn.Module):
    """x plus two convolutions of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(_ConvNorm(width, width), _ConvNorm(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """[scan, channel, slice, row, column] to the same shape."""
        out: Tensor = x + self.convs(x)
        return out


class UNet3D(nn.Module):
    """Maps the slices of a scan to one logit map per slice."""

    def __init__(self, config: UNet3DConfig) -> None:
        super().__init__()
        self.config = config
        pairs = list(itertools.pairwise(config.widths))
        self.first = _ConvNorm(4 * config.input_channels, config.widths[0])
        self.blocks = nn.ModuleList(_Residual(width) for width in config.widths)
        self.down = nn.ModuleList(_ConvNorm(upper, lower) for upper, lower in pairs)
        self.up = nn.ModuleList(nn.Conv3d(lower, upper, 1) for upper, lower in reversed(pairs))
        self.join = nn.ModuleList(_ConvNorm(2 * upper, upper) for upper, _ in reversed(pairs))
        self.head = nn.Conv3d(config.widths[0], 4 * config.classes, 1)

    def forward(self, images: Images) -> list[Logits]:
        """Compute logits of the slices [slice, channel, height, width] of one scan, from inferior to superior.

        Images of several scans with the same number of slices are [scan, slice, channel, height, width]. Height and
        width are at least 32, the number of slices at least 1.

        Returns:
            One logit map [slice, class, height, width], of all slices of all scans.

        Raises:
            ConfigError: The images have a different shape.
        """
        slices = len(images)
        if images.ndim == 5:
            slices, images = images.shape[1], images.flatten(0, 1)
        return run_padded(
            images, lambda padded: [self._logits(padded, slices)], self.config.input_channels
        )

    def _logits(self, images: Images, slices: int) -> Logits:
        halved = functional.pixel_unshuffle(images, 2)
        x = halved.view(-1, slices, *halved.shape[1:]).transpose(1, 2)
        maps = self.head(self._features(x)).transpose(1, 2).flatten(0, 1)
        return functional.pixel_shuffle(maps, 2)

    def _features(self, x: Tensor) -> Tensor:
        first, *blocks = self.blocks
        skips = [first(self.first(x))]
        for down, block in zip(self.down, blocks, strict=True):
            pooled = functional.max_pool3d(skips[-1], 2, ceil_mode=True)
            skips.append(block(down(pooled)))
        x = skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            skip = skips.pop()
            enlarged = functional.interpolate(up(x), size=skip.shape[2:], mode="trilinear")
            x = join(torch.cat([skip, enlarged], dim=1))
        return x
