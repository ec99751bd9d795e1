"""Random spatial transforms of a whole batch, in one interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.unit_draws import UnitDraws

_FEWEST_POINTS, _MOST_POINTS = 4, 8  # of an elastic deformation, along each axis


def moved(images: Tensor, config: AugmentConfig, crop: int, draws: UnitDraws) -> Tensor:
    """Rotate, scale, shear, shift, deform and flip samples at random, and crop or pad them to a square.

    Ranges and probabilities are those of `RandPatientWarp` and of the rotation and flips after it.

    Args:
        images: Images and labels together [sample, channel, height, width].
        config: Probabilities and ranges.
        crop: Side of the result.
        draws: Random numbers of the samples.
    """
    warped = draws.chosen(config.spatial)
    rotated = draws.chosen(config.rotation)
    columns, rows = (draws.chosen(each) for each in (config.horizontal_flip, config.vertical_flip))
    result = centred(images, crop)
    units = sorted({*warped, *rotated, *columns, *rows})
    if not units:
        return result
    along = torch.arange(crop, device=images.device) - (crop - 1) / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    positions = torch.stack([x, y], dim=-1)
    turns = torch.stack([_turn(unit, config, rotated, columns, rows, draws) for unit in units])
    source = torch.einsum("hwc,ndc->nhwd", positions, turns.to(images.device))
    source = _deformed(source, units, warped, config, draws)
    size = torch.tensor([2 / images.shape[-1], 2 / images.shape[-2]], device=images.device)
    found = functional.grid_sample(images[units], source * size, align_corners=False)
    result[units] = found
    return result


def centred(images: Tensor, side: int) -> Tensor:
    """Crop or pad with zeros to a square around the centre; a copy."""
    height, width = images.shape[-2:]
    bottom, right = side - height, side - width
    padding = (right // 2, right - right // 2, bottom // 2, bottom - bottom // 2)
    return functional.pad(images, padding).clone()


def _turn(
    unit: int,
    config: AugmentConfig,
    rotated: Sequence[int],
    columns: Sequence[int],
    rows: Sequence[int],
    draws: UnitDraws,
) -> Tensor:
    """The rotation and flips of a sample, as a matrix of x and y."""
    random = draws.generators[unit]
    angle = math.radians(config.rotation_degrees) * random.uniform(-1, 1) * (unit in rotated)
    flips = torch.diag(torch.tensor([-1.0 if unit in each else 1.0 for each in (columns, rows)]))
    return _rotation(angle) @ flips


def _deformed(
    source: Tensor,
    units: Sequence[int],
    warped: Sequence[int],
    config: AugmentConfig,
    draws: UnitDraws,
) -> Tensor:
    """Positions after elastic deformation, rotation, scaling, shear and shift of the samples that are warped."""
    if not warped:
        return source
    places = [units.index(unit) for unit in warped]
    crop = source.shape[1]
    part = source[places]
    if config.elastic:
        part = part + torch.stack([_displacements(unit, crop, config, draws) for unit in warped])
    matrices = torch.stack([_matrix(draws.generators[unit], config) for unit in warped])
    shift = config.shift * crop
    shifts = draws.uniform(warped, -shift, shift, 2)
    part = torch.einsum("nhwc,ndc->nhwd", part, matrices.to(part.device)) + shifts[:, None, None]
    source = source.clone()
    source[places] = part
    return source


def _displacements(unit: int, crop: int, config: AugmentConfig, draws: UnitDraws) -> Tensor:
    random = draws.generators[unit]
    points = int(random.integers(_FEWEST_POINTS, _MOST_POINTS))
    coarse = torch.from_numpy(random.normal(size=(1, 2, points, points))).float().to(draws.device)
    fine = functional.interpolate(coarse, (crop, crop), mode="bicubic", align_corners=True)[0]
    return fine.permute(1, 2, 0) * (config.elastic * crop * random.random())


def _matrix(random: np.random.Generator, config: AugmentConfig) -> Tensor:
    """The matrix from a pixel to its source: enlarging means dividing."""
    low, high = (math.log(factor) for factor in config.scale)
    scale, aspect = math.exp(random.uniform(low, high)), math.exp(random.uniform(low, high) / 4)
    angle = math.radians(config.rotation_degrees * random.uniform(-1, 1))
    across, down = random.uniform(-config.shear, config.shear, 2).tolist()
    shear = torch.tensor([[1, across], [down, 1]])
    return (
        _rotation(angle) @ shear @ torch.diag(torch.tensor([1 / (scale * aspect), aspect / scale]))
    )


def _rotation(angle: float) -> Tensor:
    return torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
