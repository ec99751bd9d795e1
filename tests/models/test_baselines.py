"""All baselines return logits at the size of the images and train all parameters that they do not list as unused."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model, for_inference, load_weights

TINY_RESNET = {"width": 8, "hidden": 8, "encoder_width": 4}
SMALL = {
    "unet": {"width": 4},
    "vm-unet": {"width": 8, "depths": (1, 1, 2, 1), "decoder_depths": (1, 2, 1, 1)},
    "vm-unet-v2": {"width": 16, "depths": (1, 1, 2, 1), "decoder_width": 5},
    "ultralight-vm-unet": {"widths": (4, 8, 8, 8, 12, 16)},
    "mamba-unet": {"width": 8, "depths": (1, 1, 2, 1)},
    "unext": {"widths": (4, 5, 6, 10, 12)},
    "transnetr": {**TINY_RESNET, "encoder_depths": (1, 1, 1, 1)},
    "transresunet": {**TINY_RESNET, "encoder_depths": (1, 1, 1)},
    "pvtformer": {"width": 4, "encoder_width": 4, "encoder_depths": (1, 1, 2, 1)},
    "double-unet": {"width": 16},
    "resunet-plus-plus": {"width": 8},
}


@pytest.fixture(scope="module", params=sorted(SMALL))
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return create_model(request.param, **SMALL[request.param])


@pytest.mark.parametrize("size", [(32, 32), (33, 75), (64, 40)])
def test_any_size_from_32_gives_logits_at_that_size(
    network: nn.Module, size: tuple[int, int]
) -> None:
    with torch.inference_mode():
        maps = network.eval()(torch.rand(2, 3, *size))
    assert maps[-1].shape == (2, 1, *size)
    assert torch.isfinite(maps[-1]).all()


def test_maps_are_logits_not_probabilities(network: nn.Module) -> None:
    strong = copy.deepcopy(network).eval().requires_grad_(False)
    for parameter in strong.parameters():
        if len(parameter) == 1:  # of a head
            parameter.mul_(100)
    with torch.inference_mode():
        for each in strong(torch.rand(2, 3, 64, 64)):
            assert each.min() < 0 or each.max() > 1


def test_slices_of_a_batch_are_independent(network: nn.Module) -> None:
    # in double precision: sums of a batch and of one slice are made in another order
    exact = copy.deepcopy(network).double().eval()
    images = torch.rand(3, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        together = exact(images)[-1]
        alone = torch.cat([exact(each[None])[-1] for each in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_every_parameter_is_trained(network: nn.Module) -> None:
    sum(each.square().mean() for each in network.train()(torch.rand(2, 3, 64, 64))).backward()
    unused = getattr(network, "unused_parameters", ())
    untrained = [name for name, each in network.named_parameters() if each.grad is None]
    assert [name for name in untrained if not name.startswith(unused)] == []
    assert [each for each in unused if not any(name.startswith(each) for name in untrained)] == []


def test_gradients_are_finite_if_a_slice_of_a_batch_is_blank(network: nn.Module) -> None:
    new = copy.deepcopy(network).train()
    images = torch.rand(2, 3, 64, 64)
    images[0] = 0
    new(images)[-1].square().mean().backward()
    gradients = [each.grad for each in new.parameters() if each.grad is not None]
    assert max(float(each.abs().max()) for each in gradients) < 1e4


def test_folding_for_inference_changes_nothing(network: nn.Module) -> None:
    images = torch.rand(2, 3, 64, 64)
    network.train()(images)  # so that the statistics that are folded are not 0 and 1
    folded = for_inference(network)
    with torch.inference_mode():
        expected, got = network.eval()(images)[-1], folded(images)[-1]
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            half = for_inference(network, torch.bfloat16)(images)[-1]
    assert (half - expected).abs().mean() < 0.1 * (1 + expected.abs().mean())


def test_the_weights_of_a_network_load_into_a_copy(network: nn.Module, tmp_path: Path) -> None:
    state = {name: tensor + 1 for name, tensor in network.state_dict().items()}
    torch.save(state, tmp_path / "weights.pth")
    copied = copy.deepcopy(network)
    load_weights(copied, tmp_path / "weights.pth")
    for name, tensor in copied.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_images_of_a_different_shape_are_refused(network: nn.Module) -> None:
    with pytest.raises(ConfigError, match="expected \\[slice, 3, height, width\\]"):
        network(torch.rand(1, 1, 64, 64))
