"""Random spatial transform of a slice and its label."""

from __future__ import annotations

import math

import torch
from monai.transforms import MapTransform, Randomizable, ResizeWithPadOrCropd
from torch import Tensor
from torch.nn import functional

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.synthetic_contrast import ALL_KEYS, IMAGE_AND_LABEL
from rma_mamba.datasets.slices import Sample


class RandPatientWarp(Randomizable, MapTransform):  # type: ignore[misc]
    """Rotate, scale, shear, shift and deform in one interpolation, and crop or pad to a square.

    Unlike the affine transform of MONAI it scales both axes together, because patients differ in size, and adds a small
    random change of the aspect ratio.
    """

    def __init__(self, config: AugmentConfig, crop: int) -> None:
        super().__init__(IMAGE_AND_LABEL)
        self.config, self.crop = config, crop
        self.only_crop = ResizeWithPadOrCropd(ALL_KEYS, (crop, crop), allow_missing_keys=True)

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample of any size."""
        config = self.config
        if self.R.random() >= config.spatial:
            cropped: Sample = self.only_crop(data)
            return cropped
        height, width = data["image"].shape[-2:]
        # x and y of every pixel's source, in pixels from the centre; grid_sample takes fractions of half the size
        source = (self._positions() + self._displacements()) @ self._matrix().T + self._shift()
        grid = (source * torch.tensor([2 / width, 2 / height]))[None]
        moved = [key for key in ALL_KEYS if key in data]
        stack = torch.cat([data[key] for key in moved])[None]
        warped = functional.grid_sample(stack, grid, align_corners=False)[0]
        parts = torch.split(warped, [len(data[key]) for key in moved])
        kept = {key: data[key] for key in ("present",) if key in data}
        return {**kept, **dict(zip(moved, parts, strict=True))}

    def _positions(self) -> Tensor:
        along = torch.arange(self.crop) - (self.crop - 1) / 2
        y, x = torch.meshgrid(along, along, indexing="ij")
        return torch.stack([x, y], dim=-1)

    def _displacements(self) -> Tensor | float:
        if self.config.elastic == 0:
            return 0.0
        points = self.R.randint(4, 8)
        coarse = torch.from_numpy(self.R.normal(size=(1, 2, points, points))).float()
        size = (self.crop, self.crop)
        fine = functional.interpolate(coarse, size, mode="bicubic", align_corners=True)[0]
        size_px: float = self.config.elastic * self.crop * self.R.random()
        return fine.permute(1, 2, 0) * size_px

    def _matrix(self) -> Tensor:
        config = self.config
        low, high = (math.log(factor) for factor in config.scale)
        scale = math.exp(self.R.uniform(low, high))
        aspect = math.exp(self.R.uniform(low, high) / 4)
        angle = math.radians(config.rotation_degrees * self.R.uniform(-1, 1))
        across, down = self.R.uniform(-config.shear, config.shear, 2)
        turn = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        shear = torch.tensor([[1, across], [down, 1]], dtype=torch.float32)
        # the matrix maps a pixel to its source, so enlarging means dividing
        return turn @ shear @ torch.diag(torch.tensor([1 / (scale * aspect), aspect / scale]))

    def _shift(self) -> Tensor:
        shift = self.config.shift * self.crop
        return torch.from_numpy(self.R.uniform(-shift, shift, 2)).float()
