"""Spatial transforms move image and label together."""

import pytest
import torch

from augmentations import augmented, sample
from rma_mamba.datasets.augment_config import AugmentConfig


@pytest.mark.parametrize(("scale", "larger"), [((1.3, 1.3), True), ((0.75, 0.75), False)])
def test_a_scale_above_one_enlarges(scale: tuple[float, float], larger: bool) -> None:
    area = float(augmented(AugmentConfig(spatial=1, scale=scale))["label"].sum())
    assert (area > 1.4 * 256) if larger else (area < 0.7 * 256)


def test_elastic_deformation_changes_the_shape() -> None:
    label = augmented(AugmentConfig(spatial=1, elastic=0.05), seed=1)["label"]
    straight = augmented(AugmentConfig(spatial=1))["label"]
    assert torch.equal(straight, sample()["label"][1:2])
    assert (label != straight).sum() > 20
