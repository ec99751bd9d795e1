"""A very small network that sees thumbnails of a body: which way round it lies, how high, and whether with liver.

Left and right, front and back are asked with every mirror image of a thumbnail: of a mirrored scan it says the very
opposite of what it says of the scan itself, and no side is preferred. Heights are those of body part regression
(Yan et al., arXiv:1707.03891), in decimetres, so that they also tell the distance of slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from rma_mamba.errors import WeightsError
from rma_mamba.models.weights import embedded_weights, read_checkpoint

NAME = "orientation"  # of its weights inside the package
ANSWERS = 4
_ROWS, _COLUMNS = -2, -1


@dataclass(frozen=True, eq=False)
class Answers:
    """Of thumbnails, each [slice].

    Args:
        right: Log-odds that the patient's right is where the header says.
        front: The same of the belly.
        height_dm: From foot to head, from a zero of its own, in decimetres.
        liver: Log-odds that there is liver in the slice.
    """

    right: Tensor
    front: Tensor
    height_dm: Tensor
    liver: Tensor


class OrientationNetwork(nn.Module):
    """Five convolutions and two layers; 37 thousand parameters."""

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
            nn.Linear(32, ANSWERS),
        )

    def forward(self, thumbnails: Tensor) -> Tensor:
        """Thumbnails [slice, SIDE, SIDE] to numbers [slice, 4], the order as in `Answers`."""
        answers: Tensor = self.answers(self.features(thumbnails[:, None]))
        return answers

    def ask(self, thumbnails: Tensor) -> Answers:
        """All four mirror images of each thumbnail, and what they say together."""
        forms = [thumbnails.flip(axes) for axes in ((), (_ROWS,), (_COLUMNS,), (_ROWS, _COLUMNS))]
        with torch.inference_mode():
            said = self(torch.cat(forms)).unflatten(0, (len(forms), -1))
        as_it_is, back, left, both_ways = said
        return Answers(
            (as_it_is + back - left - both_ways)[:, 0] / 4,
            (as_it_is - back + left - both_ways)[:, 1] / 4,
            (as_it_is + back + left + both_ways)[:, 2] / 4,
            (as_it_is + back + left + both_ways)[:, 3] / 4,
        )


@cache
def orientation_network() -> OrientationNetwork:
    """The network with the weights inside the package, on the CPU.

    Raises:
        WeightsError: They are damaged.
    """
    network = OrientationNetwork()
    with embedded_weights(NAME) as path:
        state = read_checkpoint(path).state
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise WeightsError(
            f"the weights '{NAME}' do not fit this version; expected those of its package. Install it again."
        ) from None
    return network.float().eval().requires_grad_(False)


def _step(inputs: int, outputs: int, side: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
    pool = nn.MaxPool2d(2) if stride == 1 else nn.Identity()
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(), pool
