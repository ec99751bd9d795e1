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
    return _dice_losses(logits.flatten()[None], label.flatten()[None], _SMOOTH)[0]


def slice_dice_loss(logits: Logits, label: Tensor) -> Tensor:
    """1 - Dice of the probabilities, slice by slice, averaged; 100 pixels are added above and below.

    Args:
        logits: [slice, ...].
        label: 0 or 1, same shape.
    """
    return _dice_losses(logits.flatten(1), label.flatten(1), _SMOOTH_SLICE).mean()


def _dice_losses(logits: Logits, label: Tensor, smooth: float) -> Tensor:
    """1 - Dice of each row [row, pixel]."""
    probability = torch.sigmoid(logits)
    both, all_of_them = (probability * label).sum(1), probability.sum(1) + label.sum(1)
    return 1 - (2 * both + smooth) / (all_of_them + smooth)


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
