"""Messages of ONNX files are, byte for byte, those that the package onnx writes."""

import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from rma_mamba.portable.onnx_messages import (
    GraphProto,
    ModelProto,
    make_node,
    make_tensor,
    make_value,
)

TYPES = ("float32", "float16", "int8", "uint8", "int32", "int64", "bool")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 3)])
def test_tensors_are_equal(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    expected = numpy_helper.from_array(array)
    assert make_tensor(array).SerializeToString() == expected.SerializeToString()
    other = make_tensor(array[..., None])
    assert other.SerializeToString() != expected.SerializeToString()


def test_a_tensor_in_another_byte_order_has_the_same_values() -> None:
    array = np.arange(3, dtype=np.float32)
    swapped = array.astype(">f4")
    assert make_tensor(swapped).raw_data == make_tensor(array).raw_data


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"axis": -1, "keepdims": 0},
        {"alpha": 0.25},
        {"mode": "linear"},
        {"pads": [1, 0, 1, 0], "group": np.int64(4)},
        {"scales": (1.0, 0.5)},
        {"names": ["a", "b"]},
        {"left_out": None, "axis": 1},
    ],
)
def test_nodes_are_equal(attributes: dict[str, Any]) -> None:
    expected = helper.make_node("Conv", ["x", "", "w"], ["y"], **attributes)
    found = make_node("Conv", ["x", "", "w"], ["y"], attributes)
    assert found.SerializeToString() == expected.SerializeToString()


def test_a_single_precision_number_is_no_integer() -> None:
    node = make_node("Selu", ["x"], ["y"], {"alpha": np.float32(0.5)})
    assert onnx.NodeProto.FromString(node.SerializeToString()).attribute[0].f == 0.5


@pytest.mark.parametrize("shape", [None, (), (2, "height"), ("slice", 3, 0)])
def test_values_are_equal(shape: tuple[int | str, ...] | None) -> None:
    expected = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    assert make_value("x", shape).SerializeToString() == expected.SerializeToString()


def test_graphs_and_tensors_are_attributes() -> None:
    body = GraphProto(name="body", node=[make_node("Abs", ["x"], ["y"], {})])
    node = make_node("Scan", ["x"], ["y"], {"body": body, "value": make_tensor(np.zeros(1))})
    found = onnx.NodeProto.FromString(node.SerializeToString())
    kinds = {each.name: each.type for each in found.attribute}
    assert kinds == {"body": onnx.AttributeProto.GRAPH, "value": onnx.AttributeProto.TENSOR}


def test_what_is_not_known_here_is_kept() -> None:
    model = helper.make_model(helper.make_graph([], "g", [], [], doc_string="of another tool"))
    read = ModelProto.FromString(model.SerializeToString())
    assert onnx.ModelProto.FromString(read.SerializeToString()) == model


def test_they_can_be_used_beside_the_package_onnx_in_any_order() -> None:
    ours = "import rma_mamba.portable.onnx_messages"
    for script in (f"import onnx; {ours}", f"{ours}; import onnx; onnx.ModelProto()"):
        subprocess.run([sys.executable, "-c", script], check=True)
