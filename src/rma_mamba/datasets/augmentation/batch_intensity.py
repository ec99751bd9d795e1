"""Random intensity curves, bias field, resolution and noise of a whole batch.

The changes and their ranges are those that `intensity_transforms` takes from MONAI. Each function gets the images of
the chosen units [unit, slice, height, width], their numbers, and the random numbers of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.datasets.augmentation.unit_draws import UnitDraws

_TABLE = 1024  # steps of an intensity curve
_DEGREE = 3  # of the polynomials of a bias field
_REACH = 5  # pixels of the widest Gaussian, which has a standard deviation of 1.1
_HOLES = 10


def histogram_shift(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """A random monotonic intensity curve with 4 to 8 control points, between the extremes of each image."""
    curves = draws.stacked(units, _curve)
    low, high = (each(images, (1, 2, 3), keepdim=True) for each in (torch.amin, torch.amax))
    place = ((images - low) / (high - low).clamp(min=1e-8) * (_TABLE - 1)).flatten(1)
    below = place.floor().clamp(0, _TABLE - 2)
    index = below.long()
    first, second = curves.gather(1, index), curves.gather(1, index + 1)
    value = (first + (place - below) * (second - first)).view(images.shape)
    return low + value * (high - low)


def gamma(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """A gamma correction between the extremes of each image."""
    exponent = _per_unit(draws.uniform(units, 0.6, 1.7))
    low, high = (each(images, (1, 2, 3), keepdim=True) for each in (torch.amin, torch.amax))
    span = high - low
    return ((images - low) / (span + 1e-7)) ** exponent * span + low


def scaled(images: Tensor, units: Sequence[int], draws: UnitDraws, largest: float) -> Tensor:
    """Scale intensities by a random factor."""
    return images * (1 + _per_unit(draws.uniform(units, -largest, largest)))


def shifted(images: Tensor, units: Sequence[int], draws: UnitDraws, largest: float) -> Tensor:
    """Add a random offset to intensities."""
    return images + _per_unit(draws.uniform(units, -largest, largest))


def bias_field(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """A smooth bias field: the exponential of Legendre polynomials with random coefficients."""
    pairs = [(i, j) for i in range(_DEGREE + 1) for j in range(i + 1)]
    coefficients = draws.uniform(units, 0, 0.25, len(pairs))
    down, across = (_legendre(size, images.device) for size in images.shape[-2:])
    basis = torch.stack([down[i][:, None] * across[j] for i, j in pairs])
    return images * torch.einsum("np,phw->nhw", coefficients, basis).exp()[:, None]


def low_resolution(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Simulate low resolution: the slices are downsampled and upsampled again."""
    size = images.shape[-2:]
    result = []
    for image, unit in zip(images, units, strict=True):
        zoom = draws.generators[unit].uniform(0.5, 0.9)
        small = [max(1, round(side * zoom)) for side in size]
        coarse = functional.interpolate(image[None], small, mode="nearest")
        result.append(functional.interpolate(coarse, size, mode="bilinear")[0])
    return torch.stack(result)


def blur(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Gaussian blur with a standard deviation of 0.3 to 1.1 pixels along each axis."""
    sigma = draws.uniform(units, 0.3, 1.1, 2)
    at = torch.arange(-_REACH, _REACH + 1, device=images.device)
    upper, lower = (
        torch.erf((at + edge) / (math.sqrt(2) * sigma[..., None])) for edge in (0.5, -0.5)
    )
    weights = upper - lower
    weights = weights / weights.sum(-1, keepdim=True)
    slices = images.shape[1]
    flat = images.reshape(1, -1, *images.shape[-2:])
    down, across = (weights[:, axis].repeat_interleave(slices, 0) for axis in (0, 1))
    flat = functional.conv2d(
        flat, down[:, None, :, None], padding=(_REACH, 0), groups=flat.shape[1]
    )
    flat = functional.conv2d(
        flat, across[:, None, None, :], padding=(0, _REACH), groups=flat.shape[1]
    )
    return flat.view(images.shape)


def noise(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Additive Gaussian noise with a random standard deviation of at most 0.07."""
    deviation = _per_unit(draws.uniform(units, 0, 0.07))
    return images + deviation * draws.noise(units, images.shape[1:])


def cut_outs(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Up to ten black rectangles with sides of 4 to 32 pixels, the same in all slices."""
    height, width = images.shape[-2:]
    sizes = draws.integers(units, 4, 33, _HOLES, 2)
    count = draws.integers(units, 1, _HOLES + 1)
    corners = draws.uniform(units, 0, 1, _HOLES, 2)
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    used = torch.arange(_HOLES, device=images.device) < count[:, None]
    ranges = []
    for axis, along in enumerate((rows, columns)):
        size = sizes[..., axis].clamp(max=len(along))
        first = (corners[..., axis] * (len(along) - size + 1)).long()
        ranges.append((along >= first[..., None]) & (along < (first + size)[..., None]))
    holes = ranges[0][..., :, None] & ranges[1][..., None, :] & used[..., None, None]
    return images.masked_fill(holes.any(1)[:, None], 0)


def _curve(random: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    points = int(random.integers(4, 9))
    reference = np.linspace(0, 1, points)
    floating = reference.copy()
    for each in range(1, points - 1):
        floating[each] = random.uniform(floating[each - 1], floating[each + 1])
    return np.interp(np.linspace(0, 1, _TABLE), reference, floating)


def _legendre(size: int, device: torch.device) -> list[Tensor]:
    """Legendre polynomials of degree 0 to 3 over [-1, 1]."""
    x = torch.linspace(-1, 1, size, device=device)
    return [torch.ones_like(x), x, (3 * x**2 - 1) / 2, (5 * x**3 - 3 * x) / 2]


def _per_unit(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
