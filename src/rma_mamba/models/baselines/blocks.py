"""Blocks shared by several baselines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, TypeAlias

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rma_mamba.models.layers import ConvNorm
from rma_mamba.shapes import Features

Activation: TypeAlias = Callable[[], nn.Module]
Positive: TypeAlias = Annotated[int, Field(ge=1)]


def conv_act(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    act: Activation = nn.ReLU,
    dilation: int = 1,
    bias: bool = True,
) -> nn.Sequential:
    """Convolution, batch normalisation and activation, with height and width preserved."""
    return nn.Sequential(
        ConvNorm(in_channels, out_channels, kernel, dilation=dilation, bias=bias), act()
    )


class Residual(nn.Module):
    """Two 3x3 convolutions with a 1x1 shortcut, all with bias and batch normalisation; activation after the sum."""

    def __init__(self, in_channels: int, out_channels: int, act: Activation = nn.ReLU) -> None:
        super().__init__()
        self.first = conv_act(in_channels, out_channels, act=act)
        self.second = ConvNorm(out_channels, out_channels, 3, bias=True)
        self.shortcut = ConvNorm(in_channels, out_channels, 1, bias=True)
        self.act = act()

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width], with height and width preserved."""
        out: Features = self.act(self.second(self.first(x)) + self.shortcut(x))
        return out


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation (arXiv:1709.01507): scale channels by a function of the channel means."""

    def __init__(self, channels: int, *, bias: bool, ratio: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio, bias=bias)
        self.excite = nn.Linear(channels // ratio, channels, bias=bias)

    def forward(self, x: Features) -> Features:
        """Feature map to a feature map of the same shape."""
        scale: Tensor = self.excite(functional.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * scale[:, :, None, None]


def upsample(x: Features, factor: int = 2) -> Features:
    """Bilinear upsampling by a factor, with aligned corners."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)


def init_token_layer(module: nn.Module) -> None:
    """Initialise a layer on tokens as PVTv2 and UNeXt do; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        outputs = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / outputs))
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.zeros_(module.bias)
