"""The segmentation request of a watched folder."""

from __future__ import annotations

from rma_mamba.pipeline.output_types import parse_output_types, types_of_options
from rma_mamba.pipeline.request import NetworkOptions, SegmentRequest
from rma_mamba.server.node.remote_study import outputs_to_send


def watch_request(
    network: NetworkOptions, output_type: str | None, *, report: bool, sends: bool
) -> SegmentRequest:
    """The request for a network and the output options of the command.

    Raises:
        ConfigError: An output type does not exist.
    """
    outputs = (*parse_output_types(output_type), *types_of_options({"--report": report}))
    if sends:
        outputs = outputs_to_send(outputs, "out/")
    return SegmentRequest(network, outputs=outputs, resume=True)
