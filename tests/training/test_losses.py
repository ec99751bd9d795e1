"""The paper's loss, against numbers worked out by hand."""

import math

import pytest
import torch

from rma_mamba.training.losses import dice_loss, segmentation_loss


def test_dice_loss_has_one_added_above_and_below() -> None:
    logits = torch.full((2, 1, 2, 2), math.log(3))  # probability 0.75
    label = torch.zeros(2, 1, 2, 2)
    label[0] = 1
    # 2 * (4 * 0.75) + 1 = 7 over 8 * 0.75 + 4 + 1 = 11, over the whole batch at once
    assert float(dice_loss(logits, label)) == pytest.approx(1 - 7 / 11)


def test_without_liver_nothing_found_costs_nothing() -> None:
    nothing = torch.zeros(1, 1, 4, 4)
    assert float(dice_loss(torch.full_like(nothing, -50.0), nothing)) == pytest.approx(0, abs=1e-6)


def test_the_maps_count_equally_and_extreme_logits_stay_finite() -> None:
    label = (torch.rand(2, 1, 8, 8) > 0.5).float()
    maps = [torch.randn(2, 1, 8, 8) for _ in range(4)]
    alone = sum(float(segmentation_loss([each], label)) for each in maps)
    assert float(segmentation_loss(maps, label)) == pytest.approx(alone, rel=1e-5)
    extreme = segmentation_loss([torch.full((2, 1, 8, 8), 1e4)], label)
    assert torch.isfinite(extreme)
