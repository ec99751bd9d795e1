"""The paper's loss (arXiv:2502.18232, section III-B): BCE + Dice on each of the four maps, added."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.shapes import Logits

_SMOOTH = 1.0


def dice_loss(logits: Logits, label: Tensor) -> Tensor:
    """1 - Dice of the probabilities, over the whole batch at once; 1 is added above and below.

    Args:
        logits: Any shape.
        label: 0 or 1, same shape.
    """
    probability = torch.sigmoid(logits)
    both = (probability * label).sum()
    return 1 - (2 * both + _SMOOTH) / (probability.sum() + label.sum() + _SMOOTH)


def segmentation_loss(maps: Sequence[Logits], label: Tensor) -> Tensor:
    """Sum over the maps of binary cross-entropy + Dice loss, with equal weights.

    Args:
        maps: Logits [slice, 1, height, width], all at the label's size.
        label: float [slice, 1, height, width], 0 or 1.
    """
    losses = [
        functional.binary_cross_entropy_with_logits(logits.float(), label)
        + dice_loss(logits.float(), label)
        for logits in maps
    ]
    return torch.stack(losses).sum()
