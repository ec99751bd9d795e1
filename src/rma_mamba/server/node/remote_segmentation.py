"""`rma-mamba segment` with an archive: fetch the scan from it, or send the results to it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from rma_mamba.pipeline.cohort import RunOutcome
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.quality_gate import FailOn, is_below
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.pipeline.segment import Distribution, segment_path


def segment_and_send(
    scan: str | None,
    out: str,
    request: SegmentRequest,
    distribution: Distribution,
    messages: Messages,
    channels: Mapping[str, str] = MappingProxyType({}),
    *,
    send: bool = False,
    send_to: str | None = None,
    fail_on: FailOn | None = None,
) -> RunOutcome:
    """As `segment_path`, for a path or an address "dicomweb:URL/studies/UID".

    Args:
        scan: The path or address; None: only `channels`.
        out: The output path.
        request: All settings.
        distribution: How a cohort is distributed.
        messages: Receives progress and messages.
        channels: As for `segment_path`.
        send: Send the DICOM results to the archive of the scan.
        send_to: Send them to this archive.
        fail_on: Do not send the results of masks with this light or a worse one.

    Raises:
        ConfigError: An address is invalid.
        ScanError: The study cannot be fetched.
        BackendError: The results cannot be sent, or a library is not installed.
        Exception: As for `segment_path`.
    """
    if not (send or send_to or (scan or "").startswith("dicomweb:")):
        path = None if scan is None else Path(scan)
        return segment_path(path, out, request, distribution, messages, channels)
    # the settings of archives take half a second to import
    from rma_mamba.server.node import remote_study
    from rma_mamba.server.node.send_address import destinations_of

    address = remote_study.recipient(scan or "", send, send_to)
    if address is not None:
        destinations_of(address)  # an error before the network runs
        outputs = remote_study.outputs_to_send(request.outputs, out)
        request = replace(request, outputs=outputs)
    with nullcontext() if scan is None else remote_study.local_scan(scan, out, messages) as path:
        run = segment_path(path, out, request, distribution, messages, channels)
        if address is not None:
            passed = [case for case in run.completed if not is_below(case.light, fail_on)]
            if withheld := len(run.completed) - len(passed):
                messages.warn(
                    [
                        f"The results of {withheld} mask{'s' * (withheld > 1)} were not sent (--fail-on)."
                    ]
                )
            remote_study.send_results(address, passed, messages)
        return run
