"""Run parts of an ONNX graph."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from torch import nn

from rma_mamba.portable.graph_builder import GraphBuilder, Precision

Array = npt.NDArray[Any]


def arrays(module: nn.Module) -> dict[str, Array]:
    """The state of a module."""
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def evaluate(
    add: Callable[[GraphBuilder, str], str],
    x: Array,
    weights: Mapping[str, Array] | None = None,
    precision: Precision = "fp32",
) -> Array:
    """What the nodes that `add` adds compute from x, with dynamic axes."""
    graph = GraphBuilder(weights or {}, precision)
    graph.named(add(graph, "x"), "y")
    axes = [f"axis{number}" for number in range(x.ndim)]
    model = graph.model({"x": axes}, {"y": ["any"]}, {})
    model.graph.output[0].type.tensor_type.ClearField("shape")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: Array = session.run(["y"], {"x": x.astype(np.float32)})[0]
    return found
