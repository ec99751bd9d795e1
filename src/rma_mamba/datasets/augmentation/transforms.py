"""Random changes of training slices: MONAI's transforms, and three of our own for diseased livers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data.meta_obj import set_track_meta
from monai.transforms import (
    Compose,
    MapTransform,
    RandAdjustContrastd,
    RandBiasFieldd,
    RandCoarseDropoutd,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandHistogramShiftd,
    Randomizable,
    RandRotated,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSimulateLowResolutiond,
    ResizeWithPadOrCropd,
)
from torch import Tensor
from torch.nn import functional
from torch.utils.data import default_collate

from rma_mamba.datasets.config import AugmentConfig
from rma_mamba.datasets.slices import Sample

_IMAGE = ("image",)
_BOTH = ("image", "label")
_MIDDLE = 1  # of the three channels: the slice that is segmented
_KNOTS = (0.0, 0.06, 0.25, 0.45, 0.65, 0.85, 1.0)  # grey values at which a random curve bends
_NEGATIVE = 0.15  # of all tissues: vessels bright in one contrast are dark in another


class RandTissueContrast(Randomizable, MapTransform):  # type: ignore[misc]
    """Every labelled organ gets a brightness and a texture of its own, the rest a random curve (not monotone).

    The idea is that of SynthSeg (arXiv:2107.09559), on real anatomy: a CT becomes something as far from
    it as an MR is, with borders and vessels where they were.
    """

    def __init__(self, probability: float) -> None:
        super().__init__(_BOTH)
        self.probability = probability

    def __call__(self, data: Sample) -> Sample:
        """A sample with "image" in [0, 1] and "tissues"."""
        if self.R.random() >= self.probability:
            return data
        image, organs = data["image"], data["tissues"].long()
        grey = (image * 255).round().long().clamp(0, 255)
        count = torch.bincount(organs.flatten(), minlength=256).clamp(min=1)
        mean = torch.bincount(organs.flatten(), image.flatten(), minlength=256) / count
        brightness = torch.from_numpy(self.R.uniform(0.06, 0.95, 256)).float()
        texture = torch.from_numpy(np.exp(self.R.uniform(-0.7, 0.7, 256))).float()
        texture[torch.from_numpy(self.R.random(256) < _NEGATIVE)] *= -1
        organ = brightness[organs] + texture[organs] * (image - mean[organs])
        changed = torch.where(organs > 0, organ, self._curve()[grey])
        # borders of the labels are as sharp as a mask: as soft as the scan's own they become by a blur
        return {**data, "image": (changed + _blurred(changed, 1)) / 2}

    def _curve(self) -> Tensor:
        """The new brightness of each of 256 grey values; air stays dark."""
        heights = self.R.uniform(0, 1, len(_KNOTS))
        heights[:2] = 0, 0.15 * heights[1]
        return torch.from_numpy(np.interp(np.arange(256) / 255, _KNOTS, heights)).float()


class RandLiverContrast(Randomizable, MapTransform):  # type: ignore[misc]
    """Make the liver darker or brighter: iron darkens it in MR, fat in CT, contrast agents do both.

    Its grey values are scaled by a factor between 0.3 and 1.8, with a soft border.
    """

    def __init__(self, probability: float) -> None:
        super().__init__(_BOTH)
        self.probability = probability

    def __call__(self, data: Sample) -> Sample:
        """A sample with "image" in [0, 1] and "label"."""
        if self.R.random() >= self.probability:
            return data
        factor = math.exp(self.R.uniform(math.log(0.3), math.log(1.8)))
        soft = _blurred(data["label"], 2)
        return {**data, "image": data["image"] * (1 + (factor - 1) * soft)}


class RandLesions(Randomizable, MapTransform):  # type: ignore[misc]
    """Blobs of another brightness inside the liver: tumours, cysts, nodules."""

    def __init__(self, probability: float) -> None:
        super().__init__(_BOTH)
        self.probability = probability

    def __call__(self, data: Sample) -> Sample:
        """A sample with "image" in [0, 1] and "label"."""
        inside = data["label"][_MIDDLE].nonzero()
        if self.R.random() >= self.probability or len(inside) == 0:
            return data
        height, width = data["label"].shape[-2:]
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        shift = torch.zeros(1, height, width)
        for _ in range(self.R.randint(1, 7)):
            row, column = inside[self.R.randint(len(inside))].tolist()
            radius = math.exp(self.R.uniform(math.log(2), math.log(16)))
            tall, wide = radius * self.R.uniform(0.7, 1.4, 2)
            distance = ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2
            shift = torch.where(distance < 1, self.R.uniform(-0.4, 0.4), shift)
        return {**data, "image": data["image"] + _blurred(shift, 1) * data["label"]}


class RandInversion(Randomizable, MapTransform):  # type: ignore[misc]
    """Exchange dark and bright where the image is not black."""

    def __init__(self, probability: float) -> None:
        super().__init__(_IMAGE)
        self.probability = probability

    def __call__(self, data: Sample) -> Sample:
        """A sample with "image" in [0, 1]."""
        if self.R.random() >= self.probability:
            return data
        image = data["image"].clamp(0, 1)
        return {**data, "image": (1 - image) * (image / 0.1).clamp(max=1)}


class RandPatientWarp(Randomizable, MapTransform):  # type: ignore[misc]
    """Rotate, magnify, shear, shift and deform in one interpolation, and crop or pad to a square.

    Unlike MONAI's own it magnifies both axes alike, as a patient is larger or smaller; a little of
    it is drawn for each axis.
    """

    def __init__(self, config: AugmentConfig, crop: int) -> None:
        super().__init__(_BOTH)
        self.config, self.crop = config, crop
        self.only_crop = ResizeWithPadOrCropd(_BOTH, (crop, crop))

    def __call__(self, data: Sample) -> Sample:
        """A sample of any size."""
        config = self.config
        if self.R.random() >= config.spatial:
            cropped: Sample = self.only_crop(data)
            return cropped
        height, width = data["image"].shape[-2:]
        # x and y of every pixel's source, in pixels from the middle; grid_sample wants shares of half a side
        source = (self._positions() + self._displacements()) @ self._matrix().T + self._shift()
        grid = (source * torch.tensor([2 / width, 2 / height]))[None]
        stack = torch.cat([data[key] for key in _BOTH])[None]
        warped = functional.grid_sample(stack, grid, align_corners=False)[0]
        channels = len(data["image"])
        return {"image": warped[:channels], "label": warped[channels:]}

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
        # it says where a pixel comes from, so what magnifies divides
        return turn @ shear @ torch.diag(torch.tensor([1 / (scale * aspect), aspect / scale]))

    def _shift(self) -> Tensor:
        shift = self.config.shift * self.crop
        return torch.from_numpy(self.R.uniform(-shift, shift, 2)).float()


class Finish(MapTransform):  # type: ignore[misc]
    """Grey values back into [0, 1], the middle slice's label back to 0 and 1, plain contiguous tensors."""

    def __init__(self) -> None:
        super().__init__(_BOTH)

    def __call__(self, data: Sample) -> Sample:
        """A sample with "image" and "label"."""
        image = torch.as_tensor(data["image"]).float().nan_to_num(0).clamp(0, 1).contiguous()
        label = torch.as_tensor(data["label"])[_MIDDLE : _MIDDLE + 1]
        return {"image": image, "label": (label > 0.5).float()}


class CutToCanvas:
    """Make a batch of samples, and cut it to a random side at a random place.

    Networks with a global view learn where the border of the picture is; this way it is anywhere.

    Args:
        sides: Sides to draw from; empty: the samples stay whole.
    """

    def __init__(self, sides: Sequence[int]) -> None:
        self.sides = sides

    def __call__(self, samples: list[Sample]) -> Sample:
        """Samples of one size, at least the largest side; the first one's "draw" decides."""
        batch: Sample = default_collate(samples)
        if not self.sides:
            return batch
        random = np.random.default_rng(int(batch["draw"][0]))
        side = self.sides[int(random.integers(len(self.sides)))]
        rest = batch["image"].shape[-1] - side
        top, left = random.integers(rest + 1, size=2)
        cut = {
            key: batch[key][..., top : top + side, left : left + side].contiguous() for key in _BOTH
        }
        return {**batch, **cut}


def training_transform(config: AugmentConfig, crop: int) -> Any:
    """The random changes of a recipe; every sample leaves with a side of `crop` pixels."""
    set_track_meta(False)  # nothing here reads a header; without it a sample takes half the time
    return Compose([*_disease(config), *_spatial(config, crop), *_grey_values(config), Finish()])


def validation_transform(side: int) -> Any:
    """Only bring a sample to a side of `side` pixels, by padding or cropping around its middle."""
    set_track_meta(False)
    return Compose([ResizeWithPadOrCropd(_BOTH, (side, side)), Finish()])


def _disease(config: AugmentConfig) -> list[Any]:
    return [
        RandTissueContrast(config.tissue_contrast),
        RandLiverContrast(config.liver_contrast),
        RandLesions(config.lesions),
        RandInversion(config.inversion),
    ]


def _spatial(config: AugmentConfig, crop: int) -> list[Any]:
    angle = math.radians(config.rotation_degrees)
    return [
        RandPatientWarp(config, crop),
        RandRotated(_BOTH, prob=config.rotation, range_x=angle, padding_mode="zeros"),
        RandFlipd(_BOTH, prob=config.horizontal_flip, spatial_axis=1),
        RandFlipd(_BOTH, prob=config.vertical_flip, spatial_axis=0),
    ]


def _grey_values(config: AugmentConfig) -> list[Any]:
    return [
        RandHistogramShiftd(_IMAGE, prob=config.histogram, num_control_points=(4, 8)),
        RandAdjustContrastd(_IMAGE, prob=config.gamma, gamma=(0.6, 1.7)),
        RandScaleIntensityd(_IMAGE, prob=config.window, factors=0.35),
        RandShiftIntensityd(_IMAGE, prob=config.window / 2, offsets=0.12),
        RandBiasFieldd(_IMAGE, prob=config.bias_field, coeff_range=(0.0, 0.25)),
        RandSimulateLowResolutiond(
            _IMAGE, prob=config.low_resolution, zoom_range=(0.5, 0.9), upsample_mode="bilinear"
        ),
        RandGaussianSmoothd(_IMAGE, prob=config.blur, sigma_x=(0.3, 1.1), sigma_y=(0.3, 1.1)),
        RandGaussianNoised(_IMAGE, prob=config.noise, std=0.07),
        RandCoarseDropoutd(
            _IMAGE,
            holes=1,
            max_holes=10,
            spatial_size=4,
            max_spatial_size=32,
            fill_value=0,
            prob=config.cut_outs,
        ),
    ]


def _blurred(mask: Tensor, radius: int) -> Tensor:
    return functional.avg_pool2d(mask[None], 2 * radius + 1, stride=1, padding=radius)[0]
