"""Augmentation of stacks of slices on the device of the tensors, a whole batch at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ROTATION = math.radians(20)
SCALE = (0.72, 1.35)
SHEAR, SHIFT, ELASTIC = 0.12, 0.12, 0.03
_KNOTS = 6  # of an intensity curve


def augmented(images: Tensor, labels: Tensor, hounsfield: Tensor) -> tuple[Tensor, Tensor]:
    """Random geometry for all stacks; random contrast for those that are not in Hounsfield units.

    Args:
        images: [stack, slice, height, width] in [0, 1].
        labels: 0 or 1, same shape.
        hounsfield: [stack], whether grey levels have a fixed meaning.
    """
    grid = _grid(images)
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    labels = functional.grid_sample(labels, grid, align_corners=False) > 0.5
    free = _curve(_window(_bias(images)))
    images = torch.where(hounsfield[:, None, None, None], images, free)
    return _noise(_blur(images)).clamp(0, 1), labels.float()


def _uniform(stacks: int, low: float, high: float, like: Tensor) -> Tensor:
    return torch.empty(stacks, device=like.device).uniform_(low, high)


def _chance(images: Tensor, probability: float) -> Tensor:
    return (torch.rand(len(images), device=images.device) < probability)[:, None, None, None]


def _grid(images: Tensor) -> Tensor:
    """Sampling grid [stack, height, width, 2]: rotation, scale, shear, shift and a smooth displacement."""
    stacks = len(images)
    angle, shear = (_uniform(stacks, -each, each, images) for each in (ROTATION, SHEAR))
    scale = 1 / _uniform(stacks, *SCALE, images)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    shift = [_uniform(stacks, -SHIFT, SHIFT, images) for _ in range(2)]
    rows = [
        torch.stack([cosine, sine + shear, shift[0]], 1),
        torch.stack([-sine, cosine, shift[1]], 1),
    ]
    size = [stacks, 1, *images.shape[-2:]]
    grid = functional.affine_grid(torch.stack(rows, 1), size, align_corners=False)
    coarse = ELASTIC * torch.randn(stacks, 2, 6, 6, device=images.device)
    smooth = functional.interpolate(coarse, size=size[2:], mode="bicubic")
    return grid + smooth.permute(0, 2, 3, 1)


def _curve(images: Tensor) -> Tensor:
    """A random monotonic intensity curve in half of the stacks; one of sixty is inverted."""
    steps = torch.rand(len(images), _KNOTS, device=images.device) + 0.1
    knots = functional.pad(steps.cumsum(1), (1, 0)) / steps.sum(1, keepdim=True)
    place = images.clamp(0, 1) * _KNOTS
    lower = place.floor().clamp(max=_KNOTS - 1)
    index = lower.long().flatten(1)
    start = knots.gather(1, index).view_as(images)
    end = knots.gather(1, index + 1).view_as(images)
    mapped = start + (end - start) * (place - lower)
    mapped = torch.where(_chance(images, 1 / 30), 1 - mapped, mapped)
    return torch.where(_chance(images, 0.5), mapped, images)


def _window(images: Tensor) -> Tensor:
    """Another window."""
    low = _uniform(len(images), -0.1, 0.15, images)[:, None, None, None]
    width = _uniform(len(images), 0.7, 1.15, images)[:, None, None, None]
    return torch.where(_chance(images, 0.5), ((images - low) / width).clamp(0, 1), images)


def _bias(images: Tensor) -> Tensor:
    """A smooth field in each stack, and brightness that changes from slice to slice."""
    stacks, slices = images.shape[:2]
    coarse = 0.25 * torch.randn(stacks, 1, 3, 3, device=images.device)
    field = functional.interpolate(coarse, size=images.shape[-2:], mode="bicubic").exp()
    jumps = (0.08 * torch.randn(stacks, slices, 1, 1, device=images.device)).exp()
    images = torch.where(_chance(images, 0.3), images * field, images)
    return torch.where(_chance(images, 0.2), images * jumps, images)


def _blur(images: Tensor) -> Tensor:
    blurred = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    return torch.where(_chance(images, 0.15), blurred, images)


def _noise(images: Tensor) -> Tensor:
    strength = _uniform(len(images), 0, 0.06, images)[:, None, None, None]
    noisy = images + strength * torch.randn_like(images)
    return torch.where(_chance(images, 0.25), noisy, images)
