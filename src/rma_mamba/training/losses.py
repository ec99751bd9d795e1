"""The paper's loss (arXiv:2502.18232, section III-B): BCE + Dice on each of the four maps, added."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.shapes import Logits

_SMOOTH = 1.0
_SMOOTH_SLICE = 100.0  # pixels: a few wrong ones in a slice without liver are no catastrophe


def dice_loss(logits: Logits, label: Tensor) -> Tensor:
    """1 - Dice of the probabilities, over the whole batch at once; 1 is added above and below.

    Args:
        logits: Any shape.
        label: 0 or 1, same shape.
    """
    probability = torch.sigmoid(logits)
    both = (probability * label).sum()
    return 1 - (2 * both + _SMOOTH) / (probability.sum() + label.sum() + _SMOOTH)


def slice_dice_loss(logits: Logits, label: Tensor) -> Tensor:
    """1 - Dice of the probabilities, slice by slice, averaged; 100 pixels are added above and below.

    Args:
        logits: [slice, ...].
        label: 0 or 1, same shape.
    """
    probability, label = torch.sigmoid(logits).flatten(1), label.flatten(1)
    both, all_of_them = (probability * label).sum(1), probability.sum(1) + label.sum(1)
    return (1 - (2 * both + _SMOOTH_SLICE) / (all_of_them + _SMOOTH_SLICE)).mean()


def segmentation_loss(maps: Sequence[Logits], label: Tensor, *, per_slice: float = 0.0) -> Tensor:
    """Sum over the maps of binary cross-entropy + Dice loss, with equal weights.

    Args:
        maps: Logits [slice, 1, height, width], all at the label's size.
        label: float [slice, 1, height, width], 0 or 1.
        per_slice: Share of the Dice loss that is taken slice by slice; 0 is the paper's.
    """
    losses = []
    for each in maps:
        logits = each.float()
        dice = (1 - per_slice) * dice_loss(logits, label)
        if per_slice:
            dice = dice + per_slice * slice_dice_loss(logits, label)
        losses.append(functional.binary_cross_entropy_with_logits(logits, label) + dice)
    return torch.stack(losses).sum()
