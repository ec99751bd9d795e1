"""A very small network that predicts orientation, height and the presence of liver from thumbnails of the body.

Left/right and anterior/posterior are predicted from all mirror images of a thumbnail: for a mirrored scan the result is
exactly the opposite, so neither direction is favoured. Heights are defined as in body part regression (Yan et al.,
arXiv:1707.03891), in decimetres, so that they also give the slice spacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from rma_mamba.errors import WeightsError
from rma_mamba.models.weights import embedded_weights, read_checkpoint

NAME = "orientation"  # of the bundled weights
OUTPUTS = 4
_ROWS, _COLUMNS = -2, -1


@dataclass(frozen=True, eq=False)
class SlicePredictions:
    """Predictions for each thumbnail, as tensors [slice].

    Args:
        right: Log-odds that left and right are as in the header.
        anterior: The same for anterior and posterior.
        height_dm: Height in the body, increasing from inferior to superior, in decimetres from an arbitrary origin.
        liver: Log-odds that the slice contains liver.
    """

    right: Tensor
    anterior: Tensor
    height_dm: Tensor
    liver: Tensor


class OrientationNetwork(nn.Module):
    """Four convolutions and two linear layers; 38 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_step(1, 16, 5, 2), *_step(16, 24, 3, 2), *_step(24, 32, 3, 1), *_step(32, 48, 3, 2)
        )
        self.answers = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(48 * 9, 32),
            nn.ReLU(),
            nn.Linear(32, OUTPUTS),
        )

    def forward(self, thumbnails: Tensor) -> Tensor:
        """Thumbnails [slice, SIDE, SIDE] to outputs [slice, 4], in the order of `SlicePredictions`."""
        outputs: Tensor = self.answers(self.features(thumbnails[:, None]))
        return outputs

    def predict(self, thumbnails: Tensor) -> SlicePredictions:
        """Predictions from all four mirror images of each thumbnail [slice, SIDE, SIDE]."""
        images = [thumbnails.flip(axes) for axes in ((), (_ROWS,), (_COLUMNS,), (_ROWS, _COLUMNS))]
        with torch.inference_mode():
            outputs = self(torch.cat(images)).unflatten(0, (len(images), -1))
        original, rows, columns, both = outputs
        return SlicePredictions(
            (original + rows - columns - both)[:, 0] / 4,
            (original - rows + columns - both)[:, 1] / 4,
            (original + rows + columns + both)[:, 2] / 4,
            (original + rows + columns + both)[:, 3] / 4,
        )


@cache
def orientation_network() -> OrientationNetwork:
    """The network with the bundled weights, on the CPU.

    Raises:
        WeightsError: The weights are corrupt.
    """
    network = OrientationNetwork()
    with embedded_weights(NAME) as path:
        state = read_checkpoint(path).state
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise WeightsError(
            f"the weights '{NAME}' do not fit this version; expected the weights bundled with it. Reinstall it."
        ) from None
    return network.float().eval().requires_grad_(False)


def _step(inputs: int, outputs: int, side: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
    pool = nn.MaxPool2d(2) if stride == 1 else nn.Identity()
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(), pool
