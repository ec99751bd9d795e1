"""VGG-19 without batch normalisation (arXiv:1409.1556), with parameters named as in torchvision."""

from __future__ import annotations

from torch import nn

from rma_mamba.shapes import Features, Images

# channels as multiples of the first level, and number of convolutions
_LEVELS = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))


class VGG19(nn.Module):
    """The feature maps of VGG-19 before each pooling layer.

    Args:
        width: Channels of the first level; 64 in VGG-19.
        input_channels: Channels of the images.
    """

    def __init__(self, width: int, input_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        in_channels = input_channels
        for multiple, convolutions in _LEVELS:
            for _ in range(convolutions):
                layers += [nn.Conv2d(in_channels, multiple * width, 3, padding=1), nn.ReLU()]
                in_channels = multiple * width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:-1])
        self.apply(_init_weights)

    def forward(self, images: Images) -> list[Features]:
        """Feature maps at 1, 1/2, 1/4, 1/8 and 1/16, with 1, 2, 4, 8 and 8 times the width in channels."""
        maps, x = [], images
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
            x = layer(x)
        return [*maps, x]


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d) and module.bias is not None:
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(module.bias)
