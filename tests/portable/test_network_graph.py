"""Networks as ONNX graphs compute the logits of PyTorch, for images of any size."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch

from onnx_graphs import arrays
from rma_mamba.models import create_model
from rma_mamba.models.ensemble import Ensemble
from rma_mamba.models.rma_mamba_config import RMAMambaConfig
from rma_mamba.portable.onnx_model import (
    FORMAT,
    INPUT,
    OUTPUTS,
    build_onnx_model,
    graph_sha256,
    verified_metadata,
)
from rma_mamba.portable.onnx_session import OnnxNetwork

SMALL = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
# Changes to rma-mamba-t, so that each part of the network is once there and once not.
NETWORKS: dict[str, dict[str, Any]] = {
    "paper": {},
    "extra blocks": {"extra_blocks": 2},
    "without state-space blocks in the decoder": {"attention": "ra"},
    "compact": {
        "half_width": 4,
        "top_down": True,
        "local_blocks": (1, 1, 0, 2, 0),
        "decoder_local": 8,
    },
    "two states, scans without expansion": {"states": 2, "scan_expansion": 1},
    "classes": {"classes": 3},
    "whole scan": {
        "input_channels": 4,
        "through_plane": (0, 1, 0, 2),
        "decoder_through_plane": (1, 0, 0, 1),
    },
}


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """In evaluation mode, with all branches open: several parts of a new network are zero."""
    torch.manual_seed(0)
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_var", "norm.weight", "bn.weight")):
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
        elif name.endswith((".bias", "running_mean", "out_proj.weight")):
            torch.nn.init.uniform_(tensor, -0.3, 0.3)
    return model.eval()


def largest_error(session: OnnxNetwork, model: torch.nn.Module, images: torch.Tensor) -> float:
    """Of all three logit maps, relative to the largest logit."""
    with torch.inference_mode():
        expected = [each.numpy() for each in model(images)[-3:]]
    found = session.maps(images.numpy())
    return max(
        float(np.abs(f - e).max() / np.abs(e).max()) for f, e in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_the_same_logits(name: str) -> None:
    settings = SMALL | NETWORKS[name]
    model = randomised(create_model("rma-mamba-t", **settings))
    content = build_onnx_model([model.config], arrays(model), {}).SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    session, channels = OnnxNetwork(content), model.config.input_channels
    for slices, height, width in ((3, 64, 32), (1, 32, 64), (2, 45, 71)):
        images = torch.rand(slices, channels, height, width)
        assert largest_error(session, model, images) < 1e-4
    model.out_conv1.bias.data += 1e-2
    assert largest_error(session, model, images) > 1e-4


@pytest.mark.parametrize("exclusive", [False, True])
def test_an_ensemble_averages_its_probabilities(exclusive: bool) -> None:
    members = [
        randomised(create_model("rma-mamba-t", **SMALL, classes=2, **changes))
        for changes in ({}, {"extra_blocks": 1})
    ]
    model = Ensemble(members, exclusive=exclusive).eval()
    configs = [each.config for each in members]
    graph = build_onnx_model(configs, arrays(model), {}, exclusive=exclusive)
    session = OnnxNetwork(graph.SerializeToString())
    assert largest_error(session, model, torch.rand(2, 3, 40, 64)) < 1e-4


def test_only_standard_operators_and_named_axes() -> None:
    model = create_model("rma-mamba-z", **SMALL)
    graph = build_onnx_model([model.config], arrays(model), {"model": "rma-mamba-z"})
    assert {node.domain for node in graph.graph.node} == {""}
    assert {each.domain for each in graph.opset_import} == {""}
    (images,) = graph.graph.input
    axes = [each.dim_param or each.dim_value for each in images.type.tensor_type.shape.dim]
    assert (images.name, axes) == (INPUT, ["slice", 4, "height", "width"])
    assert [each.name for each in graph.graph.output] == list(OUTPUTS)
    stored = {each.key: each.value for each in graph.metadata_props}
    assert stored == {"model": "rma-mamba-z", "graph_sha256": graph_sha256(graph)}


def test_loops_use_nothing_but_constants_from_outside() -> None:
    """OpenVINO does not accept other tensors."""
    model = create_model("rma-mamba-z", **SMALL)
    graph = build_onnx_model([model.config], arrays(model), {}).graph
    constants = {each.name for each in graph.initializer}
    loops = [node for node in graph.node if node.op_type == "Scan"]
    assert len(loops) > 10
    for loop in loops:
        body = loop.attribute[0].g
        known = constants | {each.name for each in body.input}
        for node in body.node:
            assert {*node.input} <= known
            known |= {*node.output}


def test_the_size_can_be_fixed() -> None:
    model = create_model("rma-mamba-t", **SMALL)
    graph = build_onnx_model([model.config], arrays(model), {}, size=(64, 96))
    axes = [each.dim_value for each in graph.graph.input[0].type.tensor_type.shape.dim]
    assert axes == [0, 3, 64, 96]  # 0: any number of slices


def test_a_changed_weight_changes_the_digest() -> None:
    model = create_model("rma-mamba-t", **SMALL)
    config = RMAMambaConfig(**SMALL)
    before = graph_sha256(build_onnx_model([config], arrays(model), {}))
    assert before == graph_sha256(build_onnx_model([config], arrays(model), {"a": "b"}))
    with torch.no_grad():
        model.out_conv1.bias += 1
    assert before != graph_sha256(build_onnx_model([config], arrays(model), {}))


def test_metadata_are_those_of_an_unchanged_model() -> None:
    model = create_model("rma-mamba-t", **SMALL)
    content = build_onnx_model([model.config], arrays(model), {"format": FORMAT})
    assert verified_metadata(content.SerializeToString())["format"] == FORMAT
    content.graph.node[0].name = "other"
    for wrong in (content.SerializeToString(), b"no model", b""):
        with pytest.raises(ValueError, match="not a"):
            verified_metadata(wrong)
