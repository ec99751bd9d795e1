"""Layers as ONNX nodes compute what PyTorch's modules compute."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from onnx_graphs import arrays, evaluate
from rma_mamba.models.layers import ConvNorm
from rma_mamba.models.layers import residual_convs as residual_modules
from rma_mamba.portable import graph_layers as layers


def wrapped(module: nn.Module) -> nn.ModuleDict:
    """A module with a name, and with statistics that are not those of a new one."""
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5 if name.endswith("var") else -0.5, 1)
    return nn.ModuleDict({"part": module.eval()})


@pytest.mark.parametrize(
    ("module", "add", "shape"),
    [
        (nn.Linear(6, 5), layers.linear, (2, 3, 6)),
        (nn.Linear(6, 5, bias=False), layers.linear, (2, 3, 6)),
        (nn.LayerNorm(6), layers.layer_norm, (2, 3, 6)),
        (nn.Conv2d(3, 4, 3, padding=1), layers.conv, (2, 3, 5, 7)),
        (nn.Conv2d(3, 4, 1, bias=False), layers.conv, (2, 3, 5, 7)),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), layers.depthwise_conv, (1, 4, 5, 7)),
        (ConvNorm(3, 4, 3), layers.conv_norm, (2, 3, 5, 7)),
        (residual_modules(2, 3, 4), layers.residual_convs, (2, 3, 5, 7)),
        (residual_modules(0, 3, 4), layers.residual_convs, (2, 3, 5, 7)),
    ],
)
def test_a_layer_computes_the_same_as_its_module(module, add, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x, parent = torch.rand(shape) - 0.5, wrapped(module)
    expected = parent["part"](x).detach().numpy()
    # as the last node is an Identity at least, a graph of no layers is also one
    found = evaluate(lambda graph, name: add(graph, name, "part"), x.numpy(), arrays(parent))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_activations_are_those_of_pytorch() -> None:
    x = torch.linspace(-8, 8, 1001)
    for add, function in ((layers.gelu, functional.gelu), (layers.silu, functional.silu)):
        np.testing.assert_allclose(evaluate(add, x.numpy()), function(x).numpy(), atol=2e-6)


def test_softplus_is_exact_and_does_not_overflow() -> None:
    x = np.concatenate([np.linspace(-100, 100, 20001), [-3e38, 3e38]])
    found = evaluate(layers.softplus, x)
    expected = np.logaddexp(0, x.astype(np.float32).astype(np.float64))
    visible = expected > 1e-37  # above the subnormal numbers
    np.testing.assert_allclose(found[visible], expected[visible], rtol=4e-7)
    assert np.all(found[~visible] <= 2e-37)


def test_maps_are_enlarged_as_in_pytorch() -> None:
    x = torch.rand(2, 3, 5, 4)
    for factor in (1, 2, 8):
        expected = functional.interpolate(x, scale_factor=factor, mode="bilinear")
        found = evaluate(lambda graph, name, f=factor: layers.enlarge(graph, name, f), x.numpy())
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_a_map_is_transposed_to_channels_last() -> None:
    x = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    found = evaluate(layers.unfused_channels_last, x)
    np.testing.assert_array_equal(found, x.transpose(0, 2, 3, 1))
