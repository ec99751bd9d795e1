"""Double-UNet returns two logit maps; the second segments the image weighted by the first."""

import torch
from torch import Tensor, nn

from rma_mamba.models.baselines.double_unet import DoubleUNet, DoubleUNetConfig


def test_the_second_network_receives_the_image_weighted_by_the_first() -> None:
    torch.manual_seed(0)
    network = DoubleUNet(DoubleUNetConfig(width=16)).eval()
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor]) -> None:
        seen.append(inputs[0])

    network.second_encoder[0].register_forward_pre_hook(keep)
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        first, second = network(images)
        torch.testing.assert_close(seen[0], images * first.sigmoid())
        nn.init.constant_(network.decoder.head.bias, -100)
        _, blind = network(images)
    assert not torch.allclose(second, blind)


def test_a_batch_of_one_slice_can_be_trained_on() -> None:
    network = DoubleUNet(DoubleUNetConfig(width=16)).train()
    maps = network(torch.rand(1, 3, 32, 32))
    assert [tuple(each.shape) for each in maps] == [(1, 1, 32, 32)] * 2
    assert all(torch.isfinite(each).all() for each in maps)


def test_expanding_before_normalising_does_not_change_the_pooling() -> None:
    torch.manual_seed(0)
    pyramid = DoubleUNet(DoubleUNetConfig(width=16)).pyramid.train()
    pooled = torch.randn(5, 16, 1, 1)
    spread = pyramid.pooled_bn(pooled.expand(-1, -1, 3, 4))
    torch.testing.assert_close(spread[..., :1, :1], nn.BatchNorm2d(16)(pooled))
