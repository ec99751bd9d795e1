"""Build an ONNX graph node by node; tensors are referred to by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ConfigError
from rma_mamba.portable.onnx_messages import (
    FLOAT,
    GraphProto,
    ModelProto,
    fill_tensor,
    make_node,
    make_value,
)

Array = npt.NDArray[Any]
Precision = Literal["fp32", "fp16", "int8"]

OPSET: Final = 18  # of the standard operators
_IR_VERSION: Final = 9  # what readers of opset 18 understand
_INT8_FROM: Final = 1024  # elements of a weight from which int8 saves space


class GraphBuilder:
    """A graph under construction.

    Args:
        weights: Parameters and buffers of the network by name.
        precision: Type in which weights are stored. Arithmetic is float32 in any case.
        prefix: Start of the names of the parameters, in an ensemble.
    """

    def __init__(
        self, weights: Mapping[str, Array], precision: Precision = "fp32", prefix: str = ""
    ) -> None:
        self.weights, self.precision, self.prefix = weights, precision, prefix
        self.nodes: list[Any] = []
        self._constants: list[tuple[str, Array]] = []
        self._known: dict[tuple[Any, ...], str] = {}
        self._count = [0]

    def of_member(self, prefix: str) -> GraphBuilder:
        """A builder of the same graph whose parameters have a prefix."""
        member = GraphBuilder(self.weights, self.precision, self.prefix + prefix)
        member.nodes, member._constants = self.nodes, self._constants
        member._known, member._count = self._known, self._count
        return member

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, whose name is returned."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node, and return the names of its outputs."""
        names = [self.new_name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(make_node(kind, inputs, names, attributes))
        return names

    def named(self, source: str, name: str) -> None:
        """Give a tensor a name, as an output of the graph."""
        self.nodes.append(make_node("Identity", [source], [name], {}))

    def new_name(self, start: str) -> str:
        """A name that no other tensor has."""
        self._count[0] += 1
        return f"{start}_{self._count[0]}"

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant; equal ones are stored once."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self.new_name("constant")
            self._constants.append((self._known[key], array))
        return self._known[key]

    def integers(self, *values: int) -> str:
        """A constant vector of integers: axes, sizes, pads."""
        return self.constant(values, np.int64)

    def array(self, name: str) -> Array:
        """A parameter of the network, as float32.

        Raises:
            ConfigError: The weights have no such parameter.
        """
        try:
            found = self.weights[self.prefix + name]
        except KeyError:
            raise ConfigError(
                f"the weights have no parameter '{self.prefix + name}'; expected those of an RMA-Mamba network. "
                "Export weights that `rma-mamba segment` accepts."
            ) from None
        return np.asarray(found, np.float32)

    def has(self, name: str) -> bool:
        """Whether the network has a parameter."""
        return self.prefix + name in self.weights

    def parameter(self, name: str) -> str:
        """A parameter that is stored as float32 in any precision: norms, biases, decay rates."""
        return self.constant(self.array(name))

    def weight(self, value: Array, channel_axis: int) -> str:
        """A weight of a convolution or matrix product, stored in the precision of the graph.

        Args:
            value: The weight, float32.
            channel_axis: Axis of its output channels, each of which has a scale of its own in int8.
        """
        if self.precision == "fp16":
            stored = self.constant(value, np.float16)
            return self.op("Cast", stored, to=FLOAT)
        if self.precision == "int8" and value.size >= _INT8_FROM:
            others = tuple(axis for axis in range(value.ndim) if axis != channel_axis)
            scale = np.abs(value).max(axis=others, keepdims=True) / 127
            scale = np.where(scale > 0, scale, 1).astype(np.float32)
            stored = self.constant(np.rint(value / scale), np.int8)
            return self.op(
                "DequantizeLinear", stored, self.constant(scale.ravel()), axis=channel_axis
            )
        return self.constant(value)

    def scan(
        self,
        body: Callable[[list[str]], tuple[list[str], list[str]]],
        states: Sequence[str],
        inputs: Sequence[str],
        axis: int = 0,
        reverse: bool = False,
    ) -> list[str]:
        """A loop over the slices of `inputs` along an axis (the operator Scan).

        Args:
            body: Adds the nodes of one step. It takes the names of the states and of the slices of the inputs, and
                returns those of the new states and of the slices of the outputs.
            states: Initial states.
            inputs: Tensors over which the loop runs.
            axis: The axis of the inputs and outputs.
            reverse: Run from the last slice to the first.

        Returns:
            The final states, then the outputs.
        """
        outer, self.nodes = self.nodes, []
        slices = [self.new_name("step") for _ in (*states, *inputs)]
        new_states, outputs = body(slices)
        graph = GraphProto(
            node=self.nodes,
            name=self.new_name("body"),
            input=[make_value(name) for name in slices],
            output=[make_value(name) for name in (*new_states, *outputs)],
        )
        self.nodes = outer
        return self.ops(
            "Scan",
            len(new_states) + len(outputs),
            *states,
            *inputs,
            body=graph,
            num_scan_inputs=len(inputs),
            scan_input_axes=[axis] * len(inputs),
            scan_output_axes=[axis] * len(outputs),
            scan_input_directions=[int(reverse)] * len(inputs),
            scan_output_directions=[int(reverse)] * len(outputs),
        )

    def model(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Mapping[str, Sequence[int | str]],
        metadata: Mapping[str, str],
    ) -> Any:
        """The finished model, a `ModelProto`.

        Args:
            inputs: Shapes by name; a dynamic axis has a name.
            outputs: Shapes by name.
            metadata: Text by key.
        """
        model = ModelProto(ir_version=_IR_VERSION, producer_name="rma-mamba")
        model.opset_import.add(domain="", version=OPSET)
        graph = model.graph  # filled in place: a copy would take as long as all the rest
        graph.name = "rma_mamba"
        graph.node.extend(self.nodes)
        graph.input.extend(make_value(name, shape) for name, shape in inputs.items())
        graph.output.extend(make_value(name, shape) for name, shape in outputs.items())
        for name, array in self._constants:
            fill_tensor(graph.initializer.add(name=name), array)
        for key, text in metadata.items():
            model.metadata_props.add(key=key, value=text)
        return model
