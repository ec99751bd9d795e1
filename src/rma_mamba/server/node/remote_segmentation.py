"""`rma-mamba segment` with an archive: fetch the scan from it, or send the results to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rma_mamba.pipeline.cohort import RunOutcome
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.pipeline.segment import Distribution, segment_path


def segment_and_send(
    scan: str,
    out: str,
    request: SegmentRequest,
    distribution: Distribution,
    messages: Messages,
    *,
    send: bool = False,
    send_to: str | None = None,
) -> RunOutcome:
    """As `segment_path`, for a path or an address "dicomweb:URL/studies/UID".

    Args:
        scan: The path or address.
        out: The output path.
        request: All settings.
        distribution: How a cohort is distributed.
        messages: Receives progress and messages.
        send: Send the DICOM results to the archive of the scan.
        send_to: Send them to this archive.

    Raises:
        ConfigError: An address is invalid.
        ScanError: The study cannot be fetched.
        BackendError: The results cannot be sent, or a library is not installed.
        Exception: As for `segment_path`.
    """
    if not (send or send_to or scan.startswith("dicomweb:")):
        return segment_path(Path(scan), out, request, distribution, messages)
    # the settings of archives take half a second to import
    from rma_mamba.server.node import remote_study
    from rma_mamba.server.node.send_address import destinations_of

    address = remote_study.recipient(scan, send, send_to)
    if address is not None:
        destinations_of(address)  # an error before the network runs
        outputs = remote_study.outputs_to_send(request.outputs, out)
        request = replace(request, outputs=outputs)
    with remote_study.local_scan(scan, out, messages) as path:
        run = segment_path(path, out, request, distribution, messages)
        if address is not None:
            remote_study.send_results(address, run.completed, messages)
        return run
