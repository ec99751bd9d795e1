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


@pytest.mark.parametrize("exclusive", [False, True])
def test_one_class_has_the_same_loss_whether_exclusive_or_not(exclusive: bool) -> None:
    logits, label = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.5).float()
    expected = segmentation_loss([logits], label)
    assert torch.equal(segmentation_loss([logits], label, exclusive=exclusive), expected)


def test_the_dice_loss_of_regions_is_the_mean_over_the_classes() -> None:
    logits, label = torch.randn(2, 3, 8, 8), (torch.rand(2, 3, 8, 8) > 0.5).float()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, label)
    of_classes = [dice_loss(logits[:, n], label[:, n]) for n in range(3)]
    expected = entropy + torch.stack(of_classes).mean()
    torch.testing.assert_close(segmentation_loss([logits], label), expected)


def test_exclusive_classes_share_one_softmax_with_the_background() -> None:
    logits = torch.tensor([[1.0, 2.0], [3.0, -60.0]])[:, :, None, None]
    label = torch.zeros(2, 2, 1, 1)
    label[0, 1] = 1
    share = torch.softmax(torch.cat([torch.zeros(2, 1, 1, 1), logits], 1), 1)
    entropy = -(share[0, 2].log() + share[1, 0].log()).mean() / 2
    dice = [
        1
        - (2 * (share[:, n + 1] * label[:, n]).sum() + 1)
        / (share[:, n + 1].sum() + label[:, n].sum() + 1)
        for n in range(2)
    ]
    expected = entropy + (dice[0] + dice[1]) / 2
    found = segmentation_loss([logits], label, exclusive=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    extreme = torch.full((2, 2, 1, 1), 1e4, requires_grad=True)
    segmentation_loss([extreme], label, exclusive=True).backward()
    assert torch.isfinite(extreme.grad).all()
