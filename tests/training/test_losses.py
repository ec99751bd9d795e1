"""The paper's loss, compared with values computed by hand."""

import math

import pytest
import torch

from rma_mamba.training.losses import dice_loss, segmentation_loss, slice_dice_loss


def test_dice_loss_adds_one_to_numerator_and_denominator() -> None:
    logits = torch.full((2, 1, 2, 2), math.log(3))  # probability 0.75
    label = torch.zeros(2, 1, 2, 2)
    label[0] = 1
    # 2 * (4 * 0.75) + 1 = 7 over 8 * 0.75 + 4 + 1 = 11, over the whole batch at once
    assert float(dice_loss(logits, label)) == pytest.approx(1 - 7 / 11)


def test_a_correctly_empty_prediction_has_no_loss() -> None:
    nothing = torch.zeros(1, 1, 4, 4)
    assert float(dice_loss(torch.full_like(nothing, -50.0), nothing)) == pytest.approx(0, abs=1e-6)


def test_per_slice_loss_weighs_small_and_large_sections_equally() -> None:
    label = torch.zeros(2, 1, 100, 100)
    label[0, :, :90] = 1
    label[1, :, :10, :20] = 1
    found = torch.where(label > 0, 50.0, -50.0)
    missed = found.clone()
    missed[1] = -50
    assert float(slice_dice_loss(found, label)) == pytest.approx(0, abs=1e-6)
    # the second slice: 1 - 100 / (200 + 100), the first: 0
    assert float(slice_dice_loss(missed, label)) == pytest.approx((1 - 100 / 300) / 2)
    assert float(dice_loss(missed, label)) < 0.02


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_fraction_of_the_per_slice_loss_is_linear(share: float) -> None:
    logits, label = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.5).float()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, label)
    expected = (
        entropy + (1 - share) * dice_loss(logits, label) + share * slice_dice_loss(logits, label)
    )
    torch.testing.assert_close(segmentation_loss([logits], label, per_slice=share), expected)


def test_all_maps_count_equally_and_extreme_logits_give_a_finite_loss() -> None:
    label = (torch.rand(2, 1, 8, 8) > 0.5).float()
    maps = [torch.randn(2, 1, 8, 8) for _ in range(4)]
    alone = sum(float(segmentation_loss([each], label)) for each in maps)
    assert float(segmentation_loss(maps, label)) == pytest.approx(alone, rel=1e-5)
    extreme = segmentation_loss([torch.full((2, 1, 8, 8), 1e4)], label)
    assert torch.isfinite(extreme)
