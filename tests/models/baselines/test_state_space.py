"""Costs and particularities of the state-space networks."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model
from rma_mamba.models.baselines.mamba import Mamba
from rma_mamba.models.baselines.ultralight_vm_unet import ParallelMamba
from rma_mamba.models.layers import DropPath

# of the released networks: convolutions and matrix products of one 256x256 image, scans apart
GMACS = {
    "vm-unet": 5.288,
    "vm-unet-v2": 5.339,
    "ultralight-vm-unet": 0.066,
    "mamba-unet": 5.789,
}


def step_sizes_flop(u: Any, gates: Any, weight: Any, *rest: Any, **more: Any) -> int:
    """FLOP of the projection to step sizes, which the scan computes itself; arguments are shapes."""
    directions, channels, rank = weight
    return int(2 * u[0] * u[1] * u[2] * directions * channels * rank)


@pytest.mark.parametrize("name", sorted(GMACS))
def test_the_cost_per_image_is_that_of_the_released_network(name: str) -> None:
    with torch.device("meta"):
        network, image = create_model(name).eval(), torch.rand(1, 3, 256, 256)
    scan = torch.ops.rma_mamba.cross_scan
    counter = FlopCounterMode(display=False, custom_mapping={scan: step_sizes_flop})
    with (
        counter
    ):  # with gradients: otherwise the scan does not go through the operator that is counted
        network(image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(GMACS[name], abs=5e-4)


TINY: dict[str, dict[str, Any]] = {
    "vm-unet": {"width": 4, "depths": (1, 1, 1, 1), "decoder_depths": (1, 1, 1, 1)},
    "vm-unet-v2": {"width": 16, "depths": (1, 1, 1, 1), "decoder_width": 4},
    "ultralight-vm-unet": {"widths": (4, 4, 4, 4, 4, 4)},
    "mamba-unet": {"width": 4, "depths": (1, 1, 1, 1)},
}


@pytest.mark.parametrize("name", ["ultralight-vm-unet", "vm-unet"])  # one per type of scan
def test_the_whole_network_compiles_as_one_graph_and_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    network, images = create_model(name, **TINY[name]).eval(), torch.rand(1, 3, 32, 64)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    results = []
    for each in (compiled, network):
        logits = each(images)[-1]
        used = [p for n, p in network.named_parameters() if not is_unused(network, n)]
        grads = torch.autograd.grad(logits.square().mean(), used)
        results.append([logits.detach(), *grads])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def is_unused(network: nn.Module, name: str) -> bool:
    return name.startswith(getattr(network, "unused_parameters", ()))


def drop_paths(network: nn.Module, part: str) -> list[float]:
    modules = network.get_submodule(part).modules()
    return [each.probability for each in modules if isinstance(each, DropPath)]


def test_stochastic_depth_of_vm_unet_falls_towards_the_finest_block() -> None:
    network = create_model("vm-unet", width=4, drop_path=0.3)
    down, up = drop_paths(network, "encoder"), drop_paths(network, "layers_up")
    assert down == pytest.approx([0.3 * step / 7 for step in range(8)])
    assert up == pytest.approx([0.3 * step / 6 for step in range(7)][::-1])


def test_stochastic_depth_of_mamba_unet_is_mirrored_stage_by_stage() -> None:
    network = create_model("mamba-unet", width=4, drop_path=0.7)
    up = drop_paths(network, "layers_up")
    assert up == pytest.approx([0.4, 0.5, 0.2, 0.3, 0.0, 0.1])


def unused(network: nn.Module) -> list[Tensor]:
    named = network.named_parameters()
    return [parameter for name, parameter in named if is_unused(network, name)]


def test_vm_unet_v2_has_as_many_unused_parameters_as_the_released_network() -> None:
    with torch.device("meta"):
        network = create_model("vm-unet-v2")
    assert sum(each.numel() for each in unused(network)) == 8_948_834


@torch.no_grad()
def test_unused_parameters_of_vm_unet_v2_do_not_affect_its_masks() -> None:
    network = create_model("vm-unet-v2", **TINY["vm-unet-v2"]).eval()
    images = torch.rand(1, 3, 64, 64)
    before = network(images)[-1]
    for parameter in unused(network):
        parameter.add_(1)
    assert torch.equal(network(images)[-1], before)
    network.get_parameter("encoder.layers.2.blocks.0.self_attention.out_proj.weight").add_(1)
    assert not torch.equal(network(images)[-1], before)


@torch.no_grad()
def test_one_mamba_is_shared_by_all_quarters_of_the_channels() -> None:
    torch.manual_seed(0)
    layer = ParallelMamba(16, 16)
    nn.init.eye_(layer.proj.weight)
    nn.init.zeros_(layer.proj.bias)
    x = torch.randn(2, 16, 5, 3)
    rotated = layer(x.roll(4, dims=1))
    torch.testing.assert_close(rotated, layer(x).roll(4, dims=1))
    assert not torch.allclose(layer(x.roll(1, dims=1)), layer(x).roll(1, dims=1), atol=1e-3)


@torch.no_grad()
def test_the_skip_connection_of_a_parallel_mamba_is_scaled() -> None:
    layer = ParallelMamba(8, 8)
    nn.init.zeros_(layer.mamba.out_proj.weight)
    nn.init.eye_(layer.proj.weight)
    nn.init.zeros_(layer.proj.bias)
    x = torch.randn(1, 8, 4, 4)
    expected = functional.layer_norm(x.permute(0, 2, 3, 1), (8,)).permute(0, 3, 1, 2)
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=1e-4)
    layer.skip_scale.zero_()
    assert layer(x).abs().max() == 0


@pytest.mark.parametrize("zeroed", [True, False])
def test_step_sizes_are_initialised_as_by_the_authors_or_as_in_mamba(zeroed: bool) -> None:
    network = create_model("ultralight-vm-unet", zeroed_steps=zeroed)
    mambas = [each for each in network.modules() if isinstance(each, Mamba)]
    steps = functional.softplus(torch.cat([each.dt_proj.bias for each in mambas]))
    assert len(mambas) == 6
    if zeroed:
        assert steps.unique().tolist() == pytest.approx([0.6931], abs=1e-4)
    else:
        assert 0.9e-3 < steps.min() < steps.max() < 0.101


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("vm-unet", {"width": 6}, "'width' of vm-unet is 6"),
        ("vm-unet", {"decoder_depth": (1, 1, 1, 1)}, "Did you mean 'decoder_depths'"),
        ("vm-unet-v2", {"width": 24}, "'width' of vm-unet-v2 is 24"),
        ("ultralight-vm-unet", {"widths": (8, 16)}, "widths"),
        ("ultralight-vm-unet", {"widths": (8, 16, 24, 32, 48, 62)}, "'widths.5'"),
        ("mamba-unet", {"depths": (2, 2, 2, 0)}, "'depths.3' of mamba-unet is 0"),
    ],
)
def test_a_wrong_setting_is_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model(name, **settings)
