"""Random contrasts of a whole batch: tissues, the liver, lesions and inversion.

The changes and their ranges are those of `synthetic_contrast`; sums are of whole numbers, so that they are the same in
any order of addition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.datasets.augmentation.synthetic_contrast import (
    INVERTED_TEXTURE,
    KNOTS,
)
from rma_mamba.datasets.augmentation.unit_draws import UnitDraws

_LEVELS = 256
_MOST_LESIONS = 6
_LARGEST_LESION_PX = 16.0


def tissue_contrast(
    images: Tensor, tissues: Tensor, units: Sequence[int], draws: UnitDraws
) -> Tensor:
    """Give every labelled organ a random brightness and texture, and everything else a random intensity curve.

    Args:
        images: Those of the units [unit, slice, height, width], multiples of 1/255.
        tissues: Labels of organs, same shape.
        units: Numbers of the units.
        draws: Random numbers.
    """
    levels = (images * 255).round().long().clamp(0, 255).flatten(1)
    organs = tissues.long().flatten(1)
    sums, counts = (
        torch.zeros(len(images), _LEVELS, dtype=torch.int64, device=images.device).scatter_add_(
            1, organs, each
        )
        for each in (levels, torch.ones_like(levels))
    )
    mean = sums / (255 * counts.clamp(min=1))
    brightness = draws.uniform(units, 0.06, 0.95, _LEVELS)
    texture = draws.uniform(units, -0.7, 0.7, _LEVELS).exp()
    inverted = draws.uniform(units, 0, 1, _LEVELS) < INVERTED_TEXTURE
    texture = torch.where(inverted, -texture, texture)
    curve = draws.stacked(units, _curve)
    flat = images.flatten(1)
    organ = brightness.gather(1, organs) + texture.gather(1, organs) * (
        flat - mean.gather(1, organs)
    )
    changed = torch.where(organs > 0, organ, curve.gather(1, levels)).view(images.shape)
    return (changed + blurred(changed, 1)) / 2  # labels have sharper borders than scans


def liver_contrast(images: Tensor, label: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Make the liver darker or brighter; arguments as in `tissue_contrast`, with "label" 1 where the liver is."""
    factor = draws.uniform(units, math.log(0.3), math.log(1.8)).exp().view(-1, 1, 1, 1)
    return images * (1 + (factor - 1) * blurred(label, 2))


def inversion(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Invert the contrast except where the image is black."""
    images = images.clamp(0, 1)
    return (1 - images) * (images / 0.1).clamp(max=1)


def lesions(label: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """What synthetic lesions add to the images of samples [sample, slice, height, width], whose slices look alike.

    Args:
        label: 1 where the liver is, of the samples.
        units: Numbers of the samples.
        draws: Random numbers.
    """
    slices, height, width = label.shape[1:]
    inside = label[:, slices // 2]
    place = _random_pixels(inside.flatten(1) > 0, draws.uniform(units, 0, 1, _MOST_LESIONS))
    count = draws.integers(units, 1, _MOST_LESIONS + 1)
    radius = draws.uniform(units, math.log(2), math.log(_LARGEST_LESION_PX), _MOST_LESIONS).exp()
    tall, wide = (radius * draws.uniform(units, 0.7, 1.4, _MOST_LESIONS) for _ in range(2))
    values = draws.uniform(units, -0.4, 0.4, _MOST_LESIONS)
    rows = torch.arange(height, device=label.device)[:, None]
    columns = torch.arange(width, device=label.device)
    shift = torch.zeros_like(inside)
    for each in range(_MOST_LESIONS):
        row, column, a, b, value = (
            one[:, each].view(-1, 1, 1)
            for one in (place // width, place % width, tall, wide, values)
        )
        distance = ((rows - row) / a) ** 2 + ((columns - column) / b) ** 2
        used = (each < count).view(-1, 1, 1)
        shift = torch.where((distance < 1) & used, value, shift)
    return blurred(shift[:, None], 1) * label


def blurred(images: Tensor, radius: int) -> Tensor:
    """Mean over a square of 2 * radius + 1 pixels, of a tensor [unit, slice, height, width]."""
    return functional.avg_pool2d(images, 2 * radius + 1, stride=1, padding=radius)


def _random_pixels(inside: Tensor, at: Tensor) -> Tensor:
    """A pixel inside for each random number in [0, 1), [unit, number]; any pixel where there is none."""
    total = inside.cumsum(1)
    wanted = (at * total[:, -1:]).long() + 1
    return torch.searchsorted(total, wanted).clamp(max=inside.shape[1] - 1)


def _curve(random: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """New brightness of each grey level; air stays dark."""
    heights = random.uniform(0, 1, len(KNOTS))
    heights[:2] = 0, 0.15 * heights[1]
    return np.interp(np.arange(_LEVELS) / 255, KNOTS, heights)
