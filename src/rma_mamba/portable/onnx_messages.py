"""Messages of an ONNX file, without the package onnx: what this package writes, in the format of onnx.proto.

The field numbers are those of onnx.proto (ONNX 1.17, IR version 9 and later). Fields that are not listed are kept when
a file is read and written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE: Final = "onnx"
_TYPES: Final = {
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
# Name, number and type of each field; * marks repeated fields, ? those of which one is set.
_MESSAGES: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "StringStringEntryProto": (("key", 1, "string"), ("value", 2, "string")),
    "OperatorSetIdProto": (("domain", 1, "string"), ("version", 2, "int64")),
    "TensorProto": (
        ("dims", 1, "int64*"),
        ("data_type", 2, "int32"),
        ("name", 8, "string"),
        ("raw_data", 9, "bytes"),
    ),
    "Dimension": (("dim_value", 1, "int64?"), ("dim_param", 2, "string?")),
    "TensorShapeProto": (("dim", 1, "Dimension*"),),
    "TensorType": (("elem_type", 1, "int32"), ("shape", 2, "TensorShapeProto")),
    "TypeProto": (("tensor_type", 1, "TensorType"),),
    "ValueInfoProto": (("name", 1, "string"), ("type", 2, "TypeProto")),
    "AttributeProto": (
        ("name", 1, "string"),
        ("f", 2, "float"),
        ("i", 3, "int64"),
        ("s", 4, "bytes"),
        ("t", 5, "TensorProto"),
        ("g", 6, "GraphProto"),
        ("floats", 7, "float*"),
        ("ints", 8, "int64*"),
        ("strings", 9, "bytes*"),
        ("type", 20, "int32"),
    ),
    "NodeProto": (
        ("input", 1, "string*"),
        ("output", 2, "string*"),
        ("name", 3, "string"),
        ("op_type", 4, "string"),
        ("attribute", 5, "AttributeProto*"),
        ("domain", 7, "string"),
    ),
    "GraphProto": (
        ("node", 1, "NodeProto*"),
        ("name", 2, "string"),
        ("initializer", 5, "TensorProto*"),
        ("input", 11, "ValueInfoProto*"),
        ("output", 12, "ValueInfoProto*"),
    ),
    "ModelProto": (
        ("ir_version", 1, "int64"),
        ("producer_name", 2, "string"),
        ("graph", 7, "GraphProto"),
        ("opset_import", 8, "OperatorSetIdProto*"),
        ("metadata_props", 14, "StringStringEntryProto*"),
    ),
}


def _describe() -> FileDescriptorProto:
    file = FileDescriptorProto(name="rma_mamba/onnx.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated, one_of = kind.endswith("*"), kind.endswith("?")
            kind = kind.rstrip("*?")
            added = message.field.add(name=field, number=number)
            added.label = added.LABEL_REPEATED if repeated else added.LABEL_OPTIONAL
            if kind in _TYPES:
                added.type = _TYPES[kind]
            else:
                added.type, added.type_name = added.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if one_of:
                added.oneof_index = 0
        if any(kind.endswith("?") for _, _, kind in fields):
            message.oneof_decl.add(name="value")
    return file


_POOL: Final = (
    DescriptorPool()
)  # of its own: the package onnx registers the same names in the default one
_POOL.Add(_describe())


def _message(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


TensorProto: Final = _message("TensorProto")
ValueInfoProto: Final = _message("ValueInfoProto")
AttributeProto: Final = _message("AttributeProto")
NodeProto: Final = _message("NodeProto")
GraphProto: Final = _message("GraphProto")
ModelProto: Final = _message("ModelProto")

_FLOATS: Final = (float, np.floating)
FLOAT: Final = 1  # TensorProto.DataType
_DATA_TYPES: Final = {
    np.dtype(np.float32): FLOAT,
    np.dtype(np.uint8): 2,
    np.dtype(np.int8): 3,
    np.dtype(np.int32): 6,
    np.dtype(np.int64): 7,
    np.dtype(np.bool_): 9,
    np.dtype(np.float16): 10,
    np.dtype(np.float64): 11,
}


def make_tensor(array: npt.NDArray[Any]) -> Any:
    """A tensor with the values of an array."""
    tensor = TensorProto()
    fill_tensor(tensor, array)
    return tensor


def fill_tensor(tensor: Any, array: npt.NDArray[Any]) -> None:
    """Give a tensor the shape, type and values of an array."""
    tensor.dims.extend(array.shape)
    tensor.data_type = _DATA_TYPES[array.dtype.newbyteorder("=")]
    tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def make_node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Any]
) -> Any:
    """A node of the operator `kind`; attributes that are None are left out."""
    given = {name: value for name, value in sorted(attributes.items()) if value is not None}
    return NodeProto(
        input=inputs,
        output=outputs,
        op_type=kind,
        attribute=[_attribute(name, value) for name, value in given.items()],
    )


def make_value(name: str, shape: Sequence[int | str] | None = None) -> Any:
    """Name and shape of a float32 tensor; an axis that has a name is dynamic, None: any shape."""
    value = ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = FLOAT
    if shape is not None:
        value.type.tensor_type.shape.SetInParent()
    for size in shape or ():
        key = "dim_param" if isinstance(size, str) else "dim_value"
        value.type.tensor_type.shape.dim.add(**{key: size})
    return value


def _attribute(name: str, value: Any) -> Any:
    """An attribute, whose type follows from that of its value."""
    if isinstance(value, (list, tuple)):
        items = list(value)
        if any(isinstance(each, _FLOATS) for each in items):
            return AttributeProto(name=name, floats=items, type=6)
        if items and isinstance(items[0], str):
            return AttributeProto(name=name, strings=[each.encode() for each in items], type=8)
        return AttributeProto(name=name, ints=items, type=7)
    if isinstance(value, _FLOATS):
        return AttributeProto(name=name, f=value, type=1)
    if isinstance(value, str):
        return AttributeProto(name=name, s=value.encode(), type=3)
    if isinstance(value, TensorProto):
        return AttributeProto(name=name, t=value, type=4)
    if isinstance(value, GraphProto):
        return AttributeProto(name=name, g=value, type=5)
    return AttributeProto(name=name, i=int(value), type=2)
