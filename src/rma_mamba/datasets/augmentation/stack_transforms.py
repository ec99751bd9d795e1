"""The transforms of stacks of slices: calibrated CT changes as physics permits, everything else freely."""

from __future__ import annotations

from typing import Any

import torch
from monai.data.meta_obj import set_track_meta
from monai.transforms import RandScaleIntensityd, RandShiftIntensityd

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.ct_physics import (
    RandAscites,
    RandContrastPhase,
    RandEffusion,
    RandMetal,
)
from rma_mamba.datasets.augmentation.each_scan import EachScan
from rma_mamba.datasets.augmentation.patient_warp import RandPatientWarp
from rma_mamba.datasets.augmentation.seeded_chain import SeededChain
from rma_mamba.datasets.augmentation.synthetic_contrast import RandContrast, RandLesions
from rma_mamba.datasets.augmentation.transforms import (
    Finish,
    contrast_transforms,
    intensity_transforms,
    resolution_transforms,
)
from rma_mamba.datasets.slices import Sample
from rma_mamba.slicing import SliceRecipe

_IMAGE = ("image",)
_LARGEST_LESION_PX = 30  # 12 cm at 2 mm
CT_PROBABILITY, CT_FACTOR, CT_OFFSET = (
    0.3,
    0.06,
    0.03,
)  # of small changes of all intensities of a CT
JUMPS = (0.02, 0.15)  # standard deviation of the brightness of slices
FACTORS = (0.5, 1.5)  # limits of the brightness of a slice
SLOPE = 0.5  # largest change of brightness from the middle to an end


class RandSliceJumps(RandContrast):
    """Change the brightness from slice to slice, as crosstalk and receiver adjustment do in MR."""

    def __call__(self, data: Sample) -> Sample:
        """Transform a stack with "image" [slice, height, width]."""
        if self.is_skipped():
            return data
        spread = self.R.uniform(*JUMPS)
        factors = torch.from_numpy(self.R.normal(1, spread, len(data["image"]))).float()
        return {**data, "image": data["image"] * factors.clamp(*FACTORS)[:, None, None]}


class RandShading(RandContrast):
    """Brighten one side of the body, or one end of the stack, as surface coils and failing fat suppression do."""

    def __call__(self, data: Sample) -> Sample:
        """Transform a stack with "image" [slice, height, width]."""
        if self.is_skipped():
            return data
        image = data["image"]
        field = torch.ones_like(image)
        for axis, size in enumerate(image.shape):
            slope = float(self.R.uniform(-SLOPE, SLOPE))
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
        free = [*contrast_transforms(config, stacked=True), warp, *intensity_transforms(config)]
        artefacts = [
            EachScan(RandSliceJumps(config.slice_jumps)),
            EachScan(RandShading(config.bias_field)),
        ]
        return SeededChain([*free, *artefacts, Finish(stacked=True)])
    return SeededChain(
        [
            *physical_transforms(config, recipe),
            warp,
            EachScan(RandScaleIntensityd(_IMAGE, prob=CT_PROBABILITY, factors=CT_FACTOR)),
            EachScan(RandShiftIntensityd(_IMAGE, prob=CT_PROBABILITY, offsets=CT_OFFSET)),
            *resolution_transforms(config),
            Finish(stacked=True),
        ]
    )


def physical_transforms(config: AugmentConfig, recipe: SliceRecipe) -> list[Any]:
    """What disease, contrast agent and metal change in a CT in Hounsfield units; on any device."""
    window = recipe.ct_window_hu
    return [
        EachScan(RandContrastPhase(config.contrast_phase, window)),
        EachScan(RandEffusion(config.effusion, window), shared=True),
        EachScan(RandAscites(config.ascites, window), shared=True),
        EachScan(RandLesions(config.lesions, _LARGEST_LESION_PX, stacked=True), shared=True),
        EachScan(RandMetal(config.metal, window), shared=True),
    ]
