"""The transforms of training and validation slices; MONAI is imported in this package only."""

from __future__ import annotations

import math
from typing import Any

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
    RandRotated,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSimulateLowResolutiond,
    ResizeWithPadOrCropd,
)

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.each_scan import EachScan
from rma_mamba.datasets.augmentation.patient_warp import RandPatientWarp
from rma_mamba.datasets.augmentation.seeded_chain import SeededChain
from rma_mamba.datasets.augmentation.synthetic_contrast import (
    ALL_KEYS,
    IMAGE_AND_LABEL,
    MIDDLE,
    RandInversion,
    RandLesions,
    RandLiverContrast,
    RandTissueContrast,
)
from rma_mamba.datasets.slices import Sample

_IMAGE = ("image",)


class Finish(MapTransform):  # type: ignore[misc]
    """Clip intensities to [0, 1], and labels to 0 and 1; plain contiguous tensors.

    Args:
        stacked: Keep the labels of all slices of a stack; else only that of the middle one of three channels.
    """

    def __init__(self, *, stacked: bool = False) -> None:
        super().__init__(IMAGE_AND_LABEL)
        self.stacked = stacked
        self.labels = slice(None) if stacked else slice(MIDDLE, MIDDLE + 1)

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample with "image" and "label", or "classes" [class and slice, height, width].

        The label is that of one slice [class, height, width], or of a stack [slice, height, width]; of several classes,
        [slice, class, height, width].
        """
        image = torch.as_tensor(data["image"]).float().nan_to_num(0).clamp(0, 1).contiguous()
        label = torch.as_tensor(data["label"])[self.labels]
        if "classes" in data:
            classes = torch.as_tensor(data["classes"])
            classes = classes.reshape(-1, len(data["label"]), *classes.shape[1:])
            label = classes[:, self.labels].transpose(0, 1)
            label = label if self.stacked else label[0]
        return {"image": image, "label": (label > 0.5).float().contiguous()}


def training_transform(config: AugmentConfig, crop: int) -> Any:
    """Random augmentation as configured; every sample is cropped or padded to `crop` pixels squared."""
    set_track_meta(
        False
    )  # headers are not used here, and tracking them doubles the time per sample
    return SeededChain(
        [
            *contrast_transforms(config),
            *_spatial(config, crop),
            *intensity_transforms(config),
            Finish(),
        ]
    )


def validation_transform(size: int, *, stacked: bool = False) -> Any:
    """No augmentation: samples are cropped or padded to `size` pixels squared around their centre.

    Args:
        size: Side of the result in pixels.
        stacked: Whether samples are stacks of slices.
    """
    set_track_meta(False)
    finish = Finish(stacked=stacked)
    return Compose([ResizeWithPadOrCropd(ALL_KEYS, (size, size), allow_missing_keys=True), finish])


def contrast_transforms(config: AugmentConfig, *, stacked: bool = False) -> list[Any]:
    """Random contrasts of tissues, the liver and lesions."""
    return [
        EachScan(RandTissueContrast(config.tissue_contrast)),
        EachScan(RandLiverContrast(config.liver_contrast)),
        EachScan(RandLesions(config.lesions, stacked=stacked), shared=True),
        EachScan(RandInversion(config.inversion)),
    ]


def _spatial(config: AugmentConfig, crop: int) -> list[Any]:
    angle = math.radians(config.rotation_degrees)
    return [
        RandPatientWarp(config, crop),
        RandRotated(
            ALL_KEYS,
            prob=config.rotation,
            range_x=angle,
            padding_mode="zeros",
            allow_missing_keys=True,
        ),
        RandFlipd(ALL_KEYS, prob=config.horizontal_flip, spatial_axis=1, allow_missing_keys=True),
        RandFlipd(ALL_KEYS, prob=config.vertical_flip, spatial_axis=0, allow_missing_keys=True),
    ]


def intensity_transforms(config: AugmentConfig) -> list[Any]:
    """Random intensity curves, bias field, resolution and noise."""
    changes = [
        RandHistogramShiftd(_IMAGE, prob=config.histogram, num_control_points=(4, 8)),
        RandAdjustContrastd(_IMAGE, prob=config.gamma, gamma=(0.6, 1.7)),
        RandScaleIntensityd(_IMAGE, prob=config.window, factors=0.35),
        RandShiftIntensityd(_IMAGE, prob=config.window / 2, offsets=0.12),
        RandBiasFieldd(_IMAGE, prob=config.bias_field, coeff_range=(0.0, 0.25)),
    ]
    return [
        *map(EachScan, changes),
        *resolution_transforms(config),
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


def resolution_transforms(config: AugmentConfig) -> list[Any]:
    """Random resolution, blur and noise: what varies in any modality."""
    changes = [
        RandSimulateLowResolutiond(
            _IMAGE, prob=config.low_resolution, zoom_range=(0.5, 0.9), upsample_mode="bilinear"
        ),
        RandGaussianSmoothd(_IMAGE, prob=config.blur, sigma_x=(0.3, 1.1), sigma_y=(0.3, 1.1)),
        RandGaussianNoised(_IMAGE, prob=config.noise, std=0.07),
    ]
    return [EachScan(each) for each in changes]
