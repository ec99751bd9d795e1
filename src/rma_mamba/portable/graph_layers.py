"""Layers as ONNX nodes. Names of parameters are those of the modules of `rma_mamba.models`."""

from __future__ import annotations

from typing import Final

from rma_mamba.portable.graph_builder import GraphBuilder

EPSILON: Final = 1e-5  # of LayerNorm and BatchNorm, PyTorch's default

# log(1 + y) = z * p(z * z) with z = y / (2 + y) = tanh(log(1 + y) / 2), for y in [0, 1]: the polynomial that
# interpolates 2 artanh(z) / z in the Chebyshev nodes of z * z in [0, 1/9]; relative error at most 2e-7.
_LOG1P: Final = (1.99999968, 0.66675849, 0.39593186, 0.34203619)

CHANNELS_LAST: Final = (0, 2, 3, 1)
CHANNELS_FIRST: Final = (0, 3, 1, 2)


def transpose(graph: GraphBuilder, x: str, axes: tuple[int, ...]) -> str:
    """Permute axes."""
    return graph.op("Transpose", x, perm=axes)


def unfused_channels_last(graph: GraphBuilder, x: str) -> str:
    """[slice, channel, height, width] to channels last, in a way that is not merged with a transposition after it.

    ONNX Runtime merges consecutive transpositions, and takes ten times as long for the one that results.
    """
    shape = graph.op("Gather", graph.op("Shape", x), graph.integers(*CHANNELS_LAST))
    flat = graph.op("Reshape", x, graph.integers(0, 0, -1))
    return graph.op("Reshape", transpose(graph, flat, (0, 2, 1)), shape)


def linear(graph: GraphBuilder, x: str, name: str) -> str:
    """`nn.Linear` on the last axis."""
    y = graph.op("MatMul", x, graph.weight(graph.array(f"{name}.weight").T, channel_axis=1))
    return graph.op("Add", y, graph.parameter(f"{name}.bias")) if graph.has(f"{name}.bias") else y


def layer_norm(graph: GraphBuilder, x: str, name: str) -> str:
    """`nn.LayerNorm` on the last axis."""
    scale, bias = graph.parameter(f"{name}.weight"), graph.parameter(f"{name}.bias")
    return graph.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)


def conv(graph: GraphBuilder, x: str, name: str, stride: int = 1) -> str:
    """`nn.Conv2d` with a square kernel, padded to keep the size; one input channel of the weight means depthwise."""
    value = graph.array(f"{name}.weight")
    inputs = [x, graph.weight(value, channel_axis=0)]
    if graph.has(f"{name}.bias"):
        inputs.append(graph.parameter(f"{name}.bias"))
    side = value.shape[2]
    return graph.op(
        "Conv", *inputs, kernel_shape=[side] * 2, pads=[side // 2] * 4, strides=[stride] * 2
    )


def depthwise_conv(graph: GraphBuilder, x: str, name: str) -> str:
    """`nn.Conv2d` without bias, with one group per channel."""
    value = graph.array(f"{name}.weight")
    side = value.shape[2]
    weight = graph.weight(value, channel_axis=0)
    return graph.op(
        "Conv", x, weight, kernel_shape=[side] * 2, pads=[side // 2] * 4, group=len(value)
    )


def conv_norm(graph: GraphBuilder, x: str, name: str) -> str:
    """`ConvNorm`: engines fold the batch normalisation into the convolution when they load the graph."""
    parts = ("weight", "bias", "running_mean", "running_var")
    values = [graph.parameter(f"{name}.bn.{part}") for part in parts]
    return graph.op("BatchNormalization", conv(graph, x, f"{name}.conv"), *values, epsilon=EPSILON)


def residual_convs(graph: GraphBuilder, x: str, name: str) -> str:
    """`residual_convs`, as many as the weights have."""
    number = 0
    while graph.has(f"{name}.{number}.expand.conv.weight"):
        hidden = graph.op("Relu", conv_norm(graph, x, f"{name}.{number}.expand"))
        x = graph.op("Add", x, conv_norm(graph, hidden, f"{name}.{number}.reduce"))
        number += 1
    return x


def gelu(graph: GraphBuilder, x: str) -> str:
    """x times the distribution function of the normal distribution."""
    erf = graph.op("Erf", graph.op("Div", x, graph.constant(2**0.5)))
    y = graph.op("Mul", x, graph.op("Add", erf, graph.constant(1.0)))
    return graph.op("Mul", y, graph.constant(0.5))


def silu(graph: GraphBuilder, x: str) -> str:
    """x times its sigmoid."""
    return graph.op("Mul", x, graph.op("Sigmoid", x))


def softplus(graph: GraphBuilder, x: str) -> str:
    """log(1 + exp(x)) without overflow.

    From sums, products and one exponential: ONNX Runtime takes 20 times as long for the operator Softplus.
    """
    c0, c1, c2, c3 = (graph.constant(value) for value in _LOG1P)
    y = graph.op("Exp", graph.op("Neg", graph.op("Abs", x)))
    z = graph.op("Div", y, graph.op("Add", y, graph.constant(2.0)))
    square = graph.op("Mul", z, z)
    p = graph.op("Add", graph.op("Mul", square, c3), c2)
    p = graph.op("Add", graph.op("Mul", square, p), c1)
    p = graph.op("Add", graph.op("Mul", square, p), c0)
    return graph.op("Add", graph.op("Relu", x), graph.op("Mul", p, z))


def enlarge(graph: GraphBuilder, x: str, factor: int) -> str:
    """Bilinear interpolation of the last two axes by an integer factor, without aligned corners."""
    if factor == 1:
        return x
    scales = graph.constant([1, 1, factor, factor])
    return graph.op("Resize", x, "", scales, mode="linear")
