"""The paper's loss (arXiv:2502.18232, section III-B): sum of BCE and Dice over the four output maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.shapes import Logits

_SMOOTH = 1.0
_SMOOTH_SLICE = 100.0  # pixels: limits the loss of a few false positives in a slice without liver


def dice_loss(logits: Logits, label: Tensor) -> Tensor:
    """Soft Dice loss over the whole batch; 1 is added to numerator and denominator.

    Args:
        logits: Any shape.
        label: 0 or 1, in the same shape.
    """
    return _dice_losses(logits.flatten()[None], label.flatten()[None], _SMOOTH)[0]


def slice_dice_loss(logits: Logits, label: Tensor) -> Tensor:
    """Mean soft Dice loss of the slices; 100 pixels are added to numerator and denominator.

    Args:
        logits: [slice, ...].
        label: 0 or 1, in the same shape.
    """
    return _dice_losses(logits.flatten(1), label.flatten(1), _SMOOTH_SLICE).mean()


def _dice_losses(logits: Logits, label: Tensor, smooth: float) -> Tensor:
    """Soft Dice loss of each row of [row, pixel]."""
    probability = torch.sigmoid(logits)
    intersection, total = (probability * label).sum(1), probability.sum(1) + label.sum(1)
    return 1 - (2 * intersection + smooth) / (total + smooth)


def segmentation_loss(maps: Sequence[Logits], label: Tensor, *, per_slice: float = 0.0) -> Tensor:
    """Sum of binary cross-entropy and Dice loss over all maps, with equal weights.

    Args:
        maps: Logits [slice, 1, height, width], all with the size of the label.
        label: float [slice, 1, height, width], 0 or 1.
        per_slice: Fraction of the Dice loss that is computed per slice; 0 as in the paper.
    """
    losses = []
    for each in maps:
        logits = each.float()
        dice = (1 - per_slice) * dice_loss(logits, label)
        if per_slice:
            dice = dice + per_slice * slice_dice_loss(logits, label)
        losses.append(functional.binary_cross_entropy_with_logits(logits, label) + dice)
    return torch.stack(losses).sum()
