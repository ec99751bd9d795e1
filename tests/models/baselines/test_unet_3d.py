import pytest
import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("unet-3d", widths=(4, 6, 8), input_channels=4).eval()


@pytest.mark.parametrize("shape", [(1, 4, 32, 32), (5, 4, 33, 75), (2, 7, 4, 64, 40)])
def test_any_number_of_slices_of_any_size_gives_logits_at_that_size(
    network: nn.Module, shape: tuple[int, ...]
) -> None:
    with torch.inference_mode():
        (logits,) = network(torch.rand(shape))
    slices = torch.Size(shape[:-3]).numel()
    assert logits.shape == (slices, 1, *shape[-2:])
    assert torch.isfinite(logits).all()


def test_slices_of_a_scan_depend_on_each_other_and_scans_do_not(network: nn.Module) -> None:
    images = torch.rand(2, 6, 4, 64, 64)
    changed = images.clone()
    changed[0, 0] = 0
    with torch.inference_mode():
        before, after = network(images)[0], network(changed)[0]
        alone = network(images[1])[0]
    assert not torch.allclose(before[1], after[1])  # a neighbour of the slice that was changed
    torch.testing.assert_close(before[6:], after[6:])
    torch.testing.assert_close(before[6:], alone)


def test_all_parameters_are_trained(network: nn.Module) -> None:
    network(torch.rand(3, 4, 32, 32))[0].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    network.zero_grad()


def test_another_number_of_channels_is_an_error(network: nn.Module) -> None:
    with pytest.raises(ConfigError, match="4"):
        network(torch.rand(2, 3, 64, 64))
