"""RMA-Mamba as an ONNX graph; each function adds what the module of the same name in `rma_mamba.models` computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from rma_mamba.portable.graph_builder import GraphBuilder
from rma_mamba.portable.graph_layers import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    conv,
    conv_norm,
    depthwise_conv,
    enlarge,
    gelu,
    layer_norm,
    linear,
    residual_convs,
    silu,
    softplus,
    transpose,
    unfused_channels_last,
)
from rma_mamba.portable.scan_graph import scan_1d, scan_2d

if TYPE_CHECKING:
    from rma_mamba.models.rma_mamba_config import RMAMambaConfig

MAPS: Final = 3  # logit maps of the graph, the finest ones
_STRIDE: Final = 32  # of the deepest feature map


def network(graph: GraphBuilder, images: str, config: RMAMambaConfig) -> list[str]:
    """The three finest logit maps at the size of the images [slice, channel, height, width], finest last.

    The slices are those of one scan, from inferior to superior, if the network has through-plane scans.
    """
    padded, size = _padded(graph, images)
    maps = _maps(graph, padded, config)[-MAPS:]
    finest = 2 if config.half_width else 4  # pixels of the images per pixel of the map
    factors = [finest * 2**coarser for coarser in reversed(range(MAPS))]
    return [
        _cropped(graph, enlarge(graph, each, factor), size)
        for each, factor in zip(maps, factors, strict=True)
    ]


def mean_probability_logits(graph: GraphBuilder, members: Sequence[str]) -> str:
    """The logits of the mean of the probabilities of several networks."""
    sides = []
    for outside in (True, False):
        signed = [graph.op("Neg", each) if outside else each for each in members]
        logs = [graph.op("Neg", softplus(graph, each)) for each in signed]
        sides.append(_log_sum_exp(graph, logs))
    return graph.op("Sub", *sides)


def mean_softmax_logits(graph: GraphBuilder, members: Sequence[str]) -> str:
    """The logits of the mean of the probabilities of exclusive classes, relative to a background of logit 0."""
    shares = []
    for each in members:
        first = _sliced(graph, each, 0, 1, axis=1)
        background = graph.op("Mul", first, graph.constant(0.0))
        shares.append(graph.op("LogSoftmax", graph.op("Concat", background, each, axis=1), axis=1))
    total = _log_sum_exp(graph, shares)
    inside = _sliced(graph, total, 1, np.iinfo(np.int64).max, axis=1)
    return graph.op("Sub", inside, _sliced(graph, total, 0, 1, axis=1))


def _log_sum_exp(graph: GraphBuilder, terms: Sequence[str]) -> str:
    stacked = graph.op(
        "Concat", *(graph.op("Unsqueeze", each, graph.integers(0)) for each in terms), axis=0
    )
    return graph.op("ReduceLogSumExp", stacked, graph.integers(0), keepdims=0)


def _padded(graph: GraphBuilder, images: str) -> tuple[str, str]:
    """The images, their border replicated to a multiple of 32 pixels, and their height and width before that."""
    size = graph.op("Shape", images, start=2)
    stride = graph.integers(_STRIDE)
    missing = graph.op("Mod", graph.op("Neg", size), stride)  # never negative
    pads = graph.op("Concat", graph.integers(0, 0), missing, axis=0)
    return graph.op("Pad", images, pads, "", graph.integers(2, 3), mode="edge"), size


def _cropped(graph: GraphBuilder, maps: str, size: str) -> str:
    return graph.op("Slice", maps, graph.integers(0, 0), size, graph.integers(2, 3))


def _sliced(graph: GraphBuilder, x: str, start: int, stop: int, axis: int) -> str:
    return graph.op("Slice", x, *(graph.integers(each) for each in (start, stop, axis)))


def _maps(graph: GraphBuilder, images: str, config: RMAMambaConfig) -> list[str]:
    """Logit maps at 1/32, 1/16, 1/8, 1/4 (and 1/2)."""
    half, quarter = _stem(graph, images)
    levels = [
        _decoder_input(graph, level, x, config)
        for level, x in enumerate(_features(graph, quarter, config), start=1)
    ]
    if config.half_width:
        levels.insert(0, conv_norm(graph, half, "translayer0_st"))
    refined = levels.pop()
    maps = [conv(graph, refined, "out_conv1")]
    for number, x in zip((3, 2, 1, 0), reversed(levels), strict=False):
        if config.top_down:
            above = conv_norm(graph, refined, f"top_down{number}")
            x = graph.op("Add", x, enlarge(graph, above, 2))
        x = residual_convs(graph, x, f"local{number}")
        logits, refined = _reverse_attention(
            graph, x, maps[-1], f"attention{number}", config.classes
        )
        maps.append(logits)
    return maps


def _stem(graph: GraphBuilder, images: str) -> tuple[str, str]:
    """Features at 1/2, channels first, and at 1/4, channels last."""
    half = gelu(
        graph, _downsampled(graph, images, "encoder.patch_embed.0", "encoder.patch_embed.2")
    )
    half = residual_convs(graph, transpose(graph, half, CHANNELS_FIRST), "encoder.half_local")
    return half, _downsampled(graph, half, "encoder.patch_embed.5", "encoder.patch_embed.7")


def _downsampled(graph: GraphBuilder, x: str, convolution: str, norm: str) -> str:
    """A convolution with stride 2 and a norm: channels first to channels last."""
    x = transpose(graph, conv(graph, x, convolution, stride=2), CHANNELS_LAST)
    return layer_norm(graph, x, norm)


def _features(graph: GraphBuilder, x: str, config: RMAMambaConfig) -> list[str]:
    """Four feature maps, channels first, finest first."""
    maps = []
    for level, depth in enumerate(config.depths):
        stage = f"encoder.layers.{level}"
        if config.local_blocks[level + 1]:
            x = residual_convs(graph, transpose(graph, x, CHANNELS_FIRST), f"{stage}.local")
            x = transpose(graph, x, CHANNELS_LAST)
        for number in range(depth):
            x = _vss_block(graph, x, f"{stage}.blocks.{number}")
        x = _through_plane(graph, x, f"{stage}.through_plane", config.through_plane[level])
        normed = layer_norm(graph, x, f"encoder.outnorm{level}")
        maps.append(transpose(graph, normed, CHANNELS_FIRST))
        if level < len(config.depths) - 1:
            x = transpose(graph, x, CHANNELS_FIRST)
            x = _downsampled(graph, x, f"{stage}.downsample.1", f"{stage}.downsample.3")
    return maps


def _decoder_input(graph: GraphBuilder, level: int, x: str, config: RMAMambaConfig) -> str:
    """Features of an encoder level in the width of the decoder, with through-plane context."""
    x = _channels_first_blocks(graph, x, f"st_block{level}", config.extra_blocks)
    x = conv_norm(graph, x, f"translayer{level}_st")
    count = config.decoder_through_plane[level - 1]
    if not count:
        return x
    x = transpose(graph, x, CHANNELS_LAST)
    return transpose(
        graph, _through_plane(graph, x, f"through_plane{level}", count), CHANNELS_FIRST
    )


def _reverse_attention(
    graph: GraphBuilder, x: str, coarse: str, name: str, classes: int
) -> tuple[str, str]:
    """The refined logits and the features that refined them."""
    coarse = enlarge(graph, coarse, 2)
    outside = graph.op("Sub", graph.constant(1.0), graph.op("Sigmoid", coarse))
    if classes > 1:
        outside = graph.op("ReduceMean", outside, graph.integers(1), keepdims=1)
    blocks = int(graph.has(f"{name}.st_block1.1.norm.weight"))
    unexplained = graph.op(
        "Mul", _channels_first_blocks(graph, x, f"{name}.st_block1", blocks), outside
    )
    unexplained = conv_norm(graph, unexplained, f"{name}.ra_conv1")
    again = _channels_first_blocks(graph, unexplained, f"{name}.st_block2", blocks)
    refined = conv_norm(graph, graph.op("Add", again, x), f"{name}.ra_conv2")
    return graph.op("Add", conv(graph, refined, f"{name}.ra_conv3"), coarse), refined


def _channels_first_blocks(graph: GraphBuilder, x: str, name: str, count: int) -> str:
    """VSS blocks on a channels-first map; they are counted from 1."""
    if not count:
        return x
    x = transpose(graph, x, CHANNELS_LAST)
    for number in range(1, count + 1):
        x = _vss_block(graph, x, f"{name}.{number}")
    return transpose(graph, x, CHANNELS_FIRST)


def _vss_block(graph: GraphBuilder, x: str, name: str) -> str:
    """[slice, height, width, channel] to the same shape."""
    scanned = _ss2d(graph, layer_norm(graph, x, f"{name}.norm"), f"{name}.op")
    x = graph.op("Add", x, scanned)
    hidden = gelu(graph, linear(graph, layer_norm(graph, x, f"{name}.norm2"), f"{name}.mlp.fc1"))
    return graph.op("Add", x, linear(graph, hidden, f"{name}.mlp.fc2"))


def _ss2d(graph: GraphBuilder, x: str, name: str) -> str:
    u = transpose(graph, linear(graph, x, f"{name}.in_proj"), CHANNELS_FIRST)
    u = silu(graph, depthwise_conv(graph, u, f"{name}.conv2d"))
    u = unfused_channels_last(graph, u)
    y = layer_norm(graph, scan_2d(graph, u, name), f"{name}.out_norm")
    return linear(graph, y, f"{name}.out_proj")


def _through_plane(graph: GraphBuilder, x: str, name: str, count: int) -> str:
    """Scans along the slices of [slice, height, width, channel]; a single slice is returned unchanged."""
    if not count:
        return x
    shape = graph.op("Shape", x)
    x = graph.op("Reshape", x, _line_shape(graph, shape))
    slices = graph.op("Shape", x, end=1)
    several = graph.op("Cast", graph.op("Greater", slices, graph.integers(1)), to=1)
    for number in range(count):
        block = f"{name}.blocks.{number}"
        scanned = _through_plane_scan(graph, layer_norm(graph, x, f"{block}.norm"), f"{block}.op")
        x = graph.op("Add", x, graph.op("Mul", scanned, several))
    return graph.op("Reshape", x, shape)


def _line_shape(graph: GraphBuilder, shape: str) -> str:
    """[slice, height, width, channel] as [slice, position, channel]."""
    ends = [graph.op("Gather", shape, graph.integers(axis)) for axis in (0, 3)]
    return graph.op("Concat", ends[0], graph.integers(-1), ends[1], axis=0)


def _through_plane_scan(graph: GraphBuilder, x: str, name: str) -> str:
    """[slice, position, channel] to the same shape."""
    x = linear(graph, x, f"{name}.in_proj")
    padded = graph.op("Pad", x, graph.integers(1, 1), "", graph.integers(0))
    taps = graph.array(f"{name}.conv.weight").reshape(
        -1, 3
    )  # of the slice below, the slice itself, the one above
    slices, last = graph.op("Shape", x, end=1), np.iinfo(np.int64).max
    below = graph.op("Slice", padded, graph.integers(0), slices, graph.integers(0))
    above = _sliced(graph, padded, 2, last, axis=0)
    terms = [
        graph.op("Mul", each, graph.constant(taps[:, tap]))
        for tap, each in enumerate((below, x, above))
    ]
    u = silu(graph, graph.op("Add", graph.op("Add", *terms[:2]), terms[2]))
    y = layer_norm(graph, scan_1d(graph, u, name), f"{name}.out_norm")
    return linear(graph, y, f"{name}.out_proj")
