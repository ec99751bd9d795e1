"""Augmentation of a simple sample."""

import torch

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation.transforms import training_transform
from rma_mamba.datasets.slices import Sample

SIDE = 64

# Every change, always applied.
EVERYTHING = AugmentConfig(
    rotation_degrees=20,
    scale=(0.9, 1.1),
    **dict.fromkeys(
        (
            *("spatial", "rotation", "horizontal_flip", "vertical_flip", "cut_outs", "lesions"),
            *("tissue_contrast", "liver_contrast", "inversion", "histogram", "gamma", "window"),
            *("bias_field", "noise", "blur", "low_resolution"),
        ),
        1.0,
    ),
)


def sample(side: int = SIDE) -> Sample:
    """A liver of intensity 0.5 in a body of 0.25, both brighter posteriorly."""
    label = torch.zeros(3, side, side)
    label[:, side // 4 : side // 2, side // 4 : side // 2] = 1
    ramp = torch.linspace(0, 0.1, side)[:, None]
    return {"image": 0.2 + ramp + 0.25 * label, "label": label, "tissues": label.byte()}


def augmented(config: AugmentConfig, seed: int = 0, side: int = SIDE, crop: int = SIDE) -> Sample:
    transform = training_transform(config, crop)
    transform.set_random_state(seed=seed)
    return transform(sample(side))  # type: ignore[no-any-return]
