"""Layers shared by all networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rma_mamba.errors import ConfigError
from rma_mamba.shapes import Features, Images

STRIDE = 32  # of the deepest feature map; images are padded to a multiple of it


class DropPath(nn.Module):
    """Stochastic depth (arXiv:1603.09382): drops the residual branch of whole samples during training."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape whose first axis is the batch."""
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        mask = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(keep)
        return x * (mask / keep)


class ConvNorm(nn.Module):
    """Convolution (without bias by default) and batch normalisation, without activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        dilation: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=bias
        )
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same height and width."""
        out: Tensor = self.bn(self.conv(x))
        return out

    def fold(self) -> None:
        """Fold the batch normalisation into the convolution. The layer can no longer be trained."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.bn)
            self.bn = nn.Identity()  # type: ignore[assignment]


def zero_init(layer: ConvNorm) -> ConvNorm:
    """Zero-initialise the norm, so that a residual branch starts at zero and can be added to trained weights."""
    nn.init.zeros_(layer.bn.weight)
    return layer


class ResidualConv(nn.Module):
    """x + two convolutions with a ReLU between them, as in MambaVision (arXiv:2407.08083); zero-initialised."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvNorm(width, hidden, 3)
        self.reduce = zero_init(ConvNorm(hidden, width, 3))

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to the same shape."""
        out: Tensor = x + self.reduce(functional.relu(self.expand(x)))
        return out


def residual_convs(count: int, width: int, hidden: int) -> nn.Sequential:
    """A sequence of `count` residual convolutions."""
    return nn.Sequential(*(ResidualConv(width, hidden) for _ in range(count)))


class ChannelsLast(nn.Module):
    """Apply channels-last blocks to a channels-first feature map.

    The blocks are named 1, 2, ... as in the released networks, where 0 is a transposition.
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
    """Bilinear interpolation to (height, width), without aligned corners."""
    if x.shape[-2:] == size:
        return x
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def without_blank_gradients(x: Features, images: Images) -> Features:
    """The same features, whose gradient is zero for images without any signal.

    With zero biases, as at the start of training, such an image is zero before every norm. Each norm then divides its
    gradient by √ε, until the product overflows, and with it the gradients of the whole batch.
    """
    if not torch.is_grad_enabled():
        return x
    blank = (images == 0).flatten(1).all(1).view(-1, 1, 1, 1)
    return torch.where(blank, x.detach(), x)


def run_padded(
    images: Images, run: Callable[[Images], list[Features]], channels: int = 3
) -> list[Features]:
    """Pad images to a multiple of 32 by replicating the border, run a network, and crop its outputs.

    Raises:
        ConfigError: The images are not [slice, channel, height, width] with this number of channels and with height and
            width of at least 32.
    """
    if images.ndim != 4 or images.shape[1] != channels or min(images.shape[-2:]) < STRIDE:
        raise ConfigError(
            f"the images have shape {tuple(images.shape)}; expected [slice, {channels}, height, width] with "
            f"height and width of at least {STRIDE}. Pad or resample them."
        )
    height, width = images.shape[-2:]
    bottom, right = -height % STRIDE, -width % STRIDE
    if bottom or right:
        images = functional.pad(images, (0, right, 0, bottom), mode="replicate")
    images = images.contiguous(memory_format=torch.channels_last)
    return [each[..., :height, :width] for each in run(images)]
