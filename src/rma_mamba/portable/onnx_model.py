"""A complete ONNX model: the network with its outputs, shapes and metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError

from rma_mamba.portable.graph_builder import GraphBuilder, Precision
from rma_mamba.portable.network_graph import (
    MAPS,
    mean_probability_logits,
    mean_softmax_logits,
    network,
)
from rma_mamba.portable.onnx_messages import ModelProto

if TYPE_CHECKING:
    from rma_mamba.models.rma_mamba_config import RMAMambaConfig

INPUT: Final = "images"
OUTPUTS: Final = ("logits", "logits_coarser", "logits_coarsest")  # of the three finest maps
FORMAT: Final = "rma-mamba onnx 1"  # in the metadata of complete files
GRAPH_SHA256: Final = "graph_sha256"


def build_onnx_model(
    members: Sequence[RMAMambaConfig],
    weights: Mapping[str, Any],
    metadata: Mapping[str, str],
    *,
    exclusive: bool = False,
    precision: Precision = "fp32",
    size: tuple[int, int] | None = None,
) -> Any:
    """The network as a graph of standard operators.

    Args:
        members: Configuration of the network, or of each network of an ensemble.
        weights: Arrays by name, as in the state of the network.
        metadata: Text by key; if there is any, the SHA-256 of the graph is added.
        exclusive: Whether an ensemble has exclusive classes.
        precision: Type in which weights are stored.
        size: Height and width of the images; None: any from 32 pixels on.

    Returns:
        A model with the input `images` float32 [slice, channel, height, width] in [0, 1] and the outputs `OUTPUTS`,
        float32 [slice, class, height, width].

    Raises:
        ConfigError: The weights do not belong to these networks.
    """
    graph = GraphBuilder(weights, precision)
    if len(members) == 1:
        maps = network(graph, INPUT, members[0])
    else:
        found = [
            network(graph.of_member(f"members.{number}."), INPUT, config)
            for number, config in enumerate(members)
        ]
        mean = mean_softmax_logits if exclusive else mean_probability_logits
        maps = [mean(graph, [each[level] for each in found]) for level in range(MAPS)]
    for name, each in zip(OUTPUTS, reversed(maps), strict=True):
        graph.named(each, name)
    height, width = size or ("height", "width")
    shape: list[int | str] = ["slice", members[0].classes, height, width]
    model = graph.model(
        {INPUT: ["slice", members[0].input_channels, height, width]},
        dict.fromkeys(OUTPUTS, shape),
        metadata,
    )
    if metadata:
        model.metadata_props.add(key=GRAPH_SHA256, value=graph_sha256(model))
    return model


def graph_sha256(model: Any) -> str:
    """SHA-256 of the graph of a model with its weights, without the metadata."""
    return hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()


def verified_metadata(content: bytes) -> dict[str, str]:
    """The metadata of a file that `rma-mamba export` wrote.

    Raises:
        ValueError: The content is corrupt, or another model.
    """
    try:
        model = ModelProto.FromString(content)
    except DecodeError as error:
        raise ValueError("not an ONNX model") from error
    stored = {each.key: each.value for each in model.metadata_props}
    if stored.get("format") != FORMAT or stored.get(GRAPH_SHA256) != graph_sha256(model):
        raise ValueError("not a model of this package, or changed")
    return stored
