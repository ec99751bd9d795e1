"""The transforms of stacks of slices: calibrated CT changes as physics permits, everything else freely."""

from __future__ import annotations

from typing import Any

import torch
from monai.data.meta_obj import set_track_meta
from monai.transforms import (
    Compose,
    MapTransform,
    RandGaussianNoised,
    RandGaussianSmoothd,
    Randomizable,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSimulateLowResolutiond,
    ResizeWithPadOrCropd,
)

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.ct_physics import (
    RandAscites,
    RandContrastPhase,
    RandEffusion,
    RandMetal,
)
from rma_mamba.datasets.augmentation.patient_warp import RandPatientWarp
from rma_mamba.datasets.augmentation.synthetic_contrast import IMAGE_AND_LABEL, RandLesions
from rma_mamba.datasets.augmentation.transforms import contrast_transforms, intensity_transforms
from rma_mamba.datasets.slices import Sample
from rma_mamba.slicing import SliceRecipe

_IMAGE = ("image",)
_LARGEST_LESION_PX = 30  # 12 cm at 2 mm


class FinishStack(MapTransform):  # type: ignore[misc]
    """Clip intensities to [0, 1], and labels to 0 and 1; plain contiguous tensors."""

    def __init__(self) -> None:
        super().__init__(IMAGE_AND_LABEL)

    def __call__(self, data: Sample) -> Sample:
        """Transform a stack with "image" and "label"."""
        image = torch.as_tensor(data["image"]).float().nan_to_num(0).clamp(0, 1).contiguous()
        return {"image": image, "label": (torch.as_tensor(data["label"]) > 0.5).float()}


class RandSliceJumps(Randomizable, MapTransform):  # type: ignore[misc]
    """Change the brightness from slice to slice, as crosstalk and receiver adjustment do in MR."""

    def __init__(self, probability: float) -> None:
        super().__init__(IMAGE_AND_LABEL)
        self.probability = probability

    def __call__(self, data: Sample) -> Sample:
        """Transform a stack with "image" [slice, height, width]."""
        if self.R.random() >= self.probability:
            return data
        spread = self.R.uniform(0.02, 0.15)
        factors = torch.from_numpy(self.R.normal(1, spread, len(data["image"]))).float()
        return {**data, "image": data["image"] * factors.clamp(0.5, 1.5)[:, None, None]}


class RandShading(Randomizable, MapTransform):  # type: ignore[misc]
    """Brighten one side of the body, or one end of the stack, as surface coils and failing fat suppression do."""

    def __init__(self, probability: float) -> None:
        super().__init__(IMAGE_AND_LABEL)
        self.probability = probability

    def __call__(self, data: Sample) -> Sample:
        """Transform a stack with "image" [slice, height, width]."""
        if self.R.random() >= self.probability:
            return data
        image = data["image"]
        field = torch.ones_like(image)
        for axis, size in enumerate(image.shape):
            slope = float(self.R.uniform(-0.5, 0.5))
            shape = [-1 if each == axis else 1 for each in range(3)]
            field = field * (1 + slope * torch.linspace(-1, 1, size)).view(shape)
        return {**data, "image": image * field}


def stack_transform(
    config: AugmentConfig, recipe: SliceRecipe, crop: int, *, hounsfield: bool
) -> Any:
    """Random augmentation of stacks; every stack is cropped or padded to `crop` pixels squared.

    Args:
        config: Probabilities and ranges.
        recipe: The HU window.
        crop: Side of the result in pixels.
        hounsfield: Whether intensities are Hounsfield units in the window.
    """
    set_track_meta(False)
    warp = RandPatientWarp(config, crop)
    if not hounsfield:
        free = [*contrast_transforms(config), warp, *intensity_transforms(config)]
        artefacts = [RandSliceJumps(config.slice_jumps), RandShading(config.bias_field)]
        return Compose([*free, *artefacts, FinishStack()])
    window = recipe.ct_window_hu
    return Compose(
        [
            RandContrastPhase(config.contrast_phase, window),
            RandEffusion(config.effusion, window),
            RandAscites(config.ascites, window),
            RandLesions(config.lesions, _LARGEST_LESION_PX),
            RandMetal(config.metal, window),
            warp,
            RandScaleIntensityd(_IMAGE, prob=0.3, factors=0.06),
            RandShiftIntensityd(_IMAGE, prob=0.3, offsets=0.03),
            RandSimulateLowResolutiond(
                _IMAGE, prob=config.low_resolution, zoom_range=(0.5, 0.9), upsample_mode="bilinear"
            ),
            RandGaussianSmoothd(_IMAGE, prob=config.blur, sigma_x=(0.3, 1.1), sigma_y=(0.3, 1.1)),
            RandGaussianNoised(_IMAGE, prob=config.noise, std=0.07),
            FinishStack(),
        ]
    )


def validation_stack_transform(size: int) -> Any:
    """No augmentation: stacks are cropped or padded to `size` pixels squared around their centre."""
    set_track_meta(False)
    return Compose([ResizeWithPadOrCropd(IMAGE_AND_LABEL, (size, size)), FinishStack()])
