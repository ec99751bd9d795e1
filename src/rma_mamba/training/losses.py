"""The paper's loss (arXiv:2502.18232, section III-B): sum of BCE and Dice over the four output maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.shapes import Logits

_SMOOTH = 1.0
_TINY = 1e-6  # keeps logarithms finite
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


def segmentation_loss(
    maps: Sequence[Logits], label: Tensor, *, per_slice: float = 0.0, exclusive: bool = False
) -> Tensor:
    """Sum of cross-entropy and Dice loss over all maps, with equal weights.

    Regions have a binary cross-entropy each, exclusive classes one over the classes and the background; the Dice loss
    is the mean over the classes.

    Args:
        maps: Logits [slice, class, height, width], all with the size of the label.
        label: float [slice, class, height, width], 0 or 1.
        per_slice: Fraction of the Dice loss that is computed per slice; 0 as in the paper.
        exclusive: Whether classes exclude each other.
    """
    losses = []
    exclusive = exclusive and label.shape[1] > 1
    for each in maps:
        logits = each.float()
        entropy = _entropy(logits, label, exclusive=exclusive)
        if exclusive:
            logits = _log_odds(logits)
        dice = _mean_over_classes(dice_loss, logits, label) * (1 - per_slice)
        if per_slice:
            dice = dice + per_slice * _mean_over_classes(slice_dice_loss, logits, label)
        losses.append(entropy + dice)
    return torch.stack(losses).sum()


def _entropy(logits: Logits, label: Tensor, *, exclusive: bool) -> Tensor:
    if not exclusive:
        return functional.binary_cross_entropy_with_logits(logits, label)
    target = torch.where(label.any(1), label.argmax(1) + 1, 0)
    background = torch.zeros_like(logits[:, :1])
    return functional.cross_entropy(torch.cat([background, logits], 1), target)


def _log_odds(logits: Logits) -> Logits:
    """Log-odds of each of several exclusive classes against all others and the background, whose logit is 0."""
    background = torch.zeros_like(logits[:, :1])
    share = torch.cat([background, logits], 1).log_softmax(1)[:, 1:]
    return share - torch.log1p(-share.exp().clamp(max=1 - _TINY))


def _mean_over_classes(
    loss: Callable[[Logits, Tensor], Tensor], logits: Logits, label: Tensor
) -> Tensor:
    if label.shape[1] == 1:
        return loss(logits, label)
    pairs = zip(logits.unbind(1), label.unbind(1), strict=True)
    return torch.stack([loss(*pair) for pair in pairs]).mean()
