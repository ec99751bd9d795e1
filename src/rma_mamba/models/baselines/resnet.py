"""ResNet-50 (arXiv:1512.03385, stride in the 3x3 convolution), with parameters named as in torchvision."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.nn import functional

from rma_mamba.shapes import Features, Images

EXPANSION = 4  # of channels in a bottleneck
_LEVELS_USED = 3


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.downsample.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(out_channels))

    def forward(self, x: Features) -> Features:
        """[slice, channel, height, width] to height / stride and width / stride."""
        out = functional.relu(self.bn1(self.conv1(x)))
        out = functional.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out)) + self.downsample(x)
        return functional.relu(out)


class ResNet(nn.Module):
    """The four finest feature maps of a ResNet with bottlenecks.

    Args:
        width: Channels of the first convolution; 64 in ResNet-50, and at least 4: the gradient of a strided 1x1
            convolution of 8 channels or fewer corrupts memory in oneDNN (torch 2.13).
        depths: Bottlenecks of layer1, layer2, ...; (3, 4, 6, 3) in ResNet-50. A fourth layer is built but never
            run, since the networks use only the first three.
        input_channels: Channels of the images.
    """

    def __init__(self, width: int, depths: Sequence[int], input_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(input_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = width
        for level, depth in enumerate(depths):
            layer = nn.Sequential()
            for block in range(depth):
                stride = 2 if level > 0 and block == 0 else 1
                layer.append(Bottleneck(in_channels, width * 2**level, stride))
                in_channels = EXPANSION * width * 2**level
            self.add_module(f"layer{level + 1}", layer)
        self.apply(_init_weights)

    def forward(self, images: Images) -> list[Features]:
        """Feature maps at 1/2, 1/4, 1/8 and 1/16, with 1, 4, 8 and 16 times the width in channels."""
        maps = [functional.relu(self.bn1(self.conv1(images)))]
        x = self.maxpool(maps[0])
        for level in range(_LEVELS_USED):
            x = self.get_submodule(f"layer{level + 1}")(x)
            maps.append(x)
        return maps


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
