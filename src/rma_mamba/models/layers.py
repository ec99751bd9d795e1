"""Small parts that every network here is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rma_mamba.errors import ConfigError
from rma_mamba.shapes import Features, Images

STRIDE = 32  # of the deepest feature map; inputs are padded to a multiple of it


class DropPath(nn.Module):
    """Stochastic depth (arXiv:1603.09382): in training, drop a residual branch for whole samples."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape, its first axis the samples."""
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(keep)
        return x * (kept / keep)


class ConvNorm(nn.Module):
    """Convolution, by default without bias, then batch normalisation; no activation."""

    def __init__(
        self, inside: int, outside: int, kernel: int, *, dilation: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.conv = nn.Conv2d(
            inside, outside, kernel, padding=padding, dilation=dilation, bias=bias
        )
        self.bn = nn.BatchNorm2d(outside)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same height and width."""
        out: Tensor = self.bn(self.conv(x))
        return out

    def fold(self) -> None:
        """Put the normalisation into the convolution's weights. The layer cannot be trained afterwards."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.bn)
            self.bn = nn.Identity()  # type: ignore[assignment]


def silent(layer: ConvNorm) -> ConvNorm:
    """The layer, which gives zeros until it is trained: what it is added to can hold trained weights."""
    nn.init.zeros_(layer.bn.weight)
    return layer


class ResidualConv(nn.Module):
    """x + two convolutions with a ReLU between them, as in MambaVision (arXiv:2407.08083); silent at first."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvNorm(width, hidden, 3)
        self.reduce = silent(ConvNorm(hidden, width, 3))

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same shape."""
        out: Tensor = x + self.reduce(functional.relu(self.expand(x)))
        return out


def residual_convs(count: int, width: int, hidden: int) -> nn.Sequential:
    """So many of them, one after the other."""
    return nn.Sequential(*(ResidualConv(width, hidden) for _ in range(count)))


class ChannelsLast(nn.Module):
    """Blocks that work on [slice, height, width, channel], wrapped for [slice, channel, height, width].

    The blocks are named 1, 2, ... as in the released networks, whose 0 is a transposition.
    """

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        for number, block in enumerate(blocks, start=1):
            self.add_module(str(number), block)

    def forward(self, x: Features) -> Features:
        """Features to features of the same shape."""
        x = x.permute(0, 2, 3, 1)
        for block in self.children():
            x = block(x)
        return x.permute(0, 3, 1, 2)


def resize(x: Features, size: tuple[int, int]) -> Features:
    """Bilinear interpolation to height and width, corners not aligned."""
    if x.shape[-2:] == size:
        return x
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def padded(images: Images, run: Callable[[Images], list[Features]]) -> list[Features]:
    """Run a network on images padded (by their edge) to a multiple of 32; its maps are cropped back.

    Raises:
        ConfigError: The images are not [slice, 3, height, width] with both sides at least 32.
    """
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[-2:]) < STRIDE:
        raise ConfigError(
            f"the images have shape {tuple(images.shape)}; expected [slice, 3, height, width] with "
            f"height and width of at least {STRIDE}. Pad or resample them."
        )
    height, width = images.shape[-2:]
    bottom, right = -height % STRIDE, -width % STRIDE
    if bottom or right:
        images = functional.pad(images, (0, right, 0, bottom), mode="replicate")
    images = images.contiguous(memory_format=torch.channels_last)
    return [each[..., :height, :width] for each in run(images)]
