"""Networks prepared for inference compute the same as the networks they were made from."""

import copy

import pytest
import torch
from torch import nn

from rma_mamba.models import create_model, for_inference


@pytest.fixture(scope="module")
def tiny() -> nn.Module:
    torch.manual_seed(0)
    return create_model("rma-mamba-n", width=8, depths=(1, 1, 1, 1), decoder_width=8).eval()


def test_only_the_three_finest_maps_are_returned_and_they_are_the_same(tiny: nn.Module) -> None:
    model = copy.deepcopy(tiny)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # as if trained
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.3, 3)
            nn.init.uniform_(module.weight, -2, 2)
            nn.init.uniform_(module.bias, -1, 1)
    images = torch.rand(2, 3, 40, 64)
    fast = for_inference(model.train())
    maps, expected = fast(images), model.eval()(images)[-3:]
    assert len(maps) == 3
    for got, wanted in zip(maps, expected, strict=True):
        torch.testing.assert_close(got, wanted.detach(), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert not any(each.requires_grad for each in fast.parameters())
    assert len(model(images)) == 5  # the network itself is as it was


@torch.inference_mode()
def test_half_precision_weights_give_the_same_bits_as_autocast(tiny: nn.Module) -> None:
    images = torch.rand(2, 3, 40, 64)
    with torch.autocast("cpu", torch.bfloat16):
        expected = for_inference(tiny)(images)[-1]
        got = for_inference(tiny, torch.bfloat16)(images)[-1]
    assert torch.equal(got, expected)
    assert not torch.equal(got.float(), for_inference(tiny)(images)[-1])
