"""A scan that is fetched from an archive for one command, and results that are sent by it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rma_mamba.errors import BackendError, ConfigError
from rma_mamba.files import check_writable, staged_folder
from rma_mamba.pipeline.case import CompletedCase
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.output_paths import is_folder
from rma_mamba.pipeline.output_types import OUTPUT_TYPES
from rma_mamba.scans.writers import mask_format
from rma_mamba.server.node.delivery import open_destination
from rma_mamba.server.node.dicomweb import Service, StudyAddress, fetch
from rma_mamba.server.node.results_to_send import RejectedError, SentObject, UnreachableError
from rma_mamba.server.node.send_address import (
    DICOMWEB,
    credentials_of_environment,
    destinations_of,
)

_DEFAULT = ("dicom_seg", "dicom_sr")
_TIMEOUT_SECONDS = 60.0
_AE_TITLE = "RMA_MAMBA"


def sendable(outputs: Sequence[str]) -> tuple[str, ...]:
    """Those output types that are DICOM objects."""
    return tuple(name for name in outputs if OUTPUT_TYPES[name].dicom)


@contextmanager
def local_scan(scan: str, out: str, messages: Messages) -> Iterator[Path]:
    """The path of an input; a study of DICOMweb is fetched into the output folder, and removed after the block.

    The name of its folder, and so of the case, is derived from the address.

    Raises:
        ConfigError: The address is invalid, or the output cannot be written.
        ScanError: The study cannot be fetched.
        BackendError: The library is not installed.
    """
    if not scan.startswith(DICOMWEB):
        yield Path(scan)
        return
    address = StudyAddress.parse(scan.removeprefix(DICOMWEB))
    results = Path(out) if is_folder(out) else Path(out).parent
    check_writable(results / "study")
    is_new = not results.exists()
    try:
        with staged_folder(results, "fetched study") as folder:
            name = hashlib.sha256(f"{address.study} {address.series}".encode()).hexdigest()[:12]
            images = folder / f"study_{name}"
            count = fetch(address, Service(address.service, credentials_of_environment()), images)
            messages.detail(f"{count} images were fetched.")
            yield images
    finally:
        if is_new:
            with suppress(OSError):  # not empty
                results.rmdir()


def recipient(scan: str, send: bool, send_to: str | None) -> str | None:
    """The address of the archive to which results are sent; None: they are not.

    Raises:
        ConfigError: `send` is set, but the scan does not come from an archive.
    """
    if send_to is not None or not send:
        return send_to
    if not scan.startswith(DICOMWEB):
        raise ConfigError(
            "--send is set, but the scan does not come from an archive; expected an input dicomweb:URL. "
            "Name the archive with --send-to."
        )
    return DICOMWEB + StudyAddress.parse(scan.removeprefix(DICOMWEB)).service


def outputs_to_send(outputs: tuple[str, ...], out: str) -> tuple[str, ...]:
    """Output types with at least one DICOM object: SEG and SR, unless others were chosen."""
    if sendable(outputs):
        return outputs
    first = ("nifti",) if is_folder(out) else (mask_format(Path(out)),)
    return tuple(dict.fromkeys((*first, *_DEFAULT, *outputs)))


def send_results(address: str, cases: Sequence[CompletedCase], messages: Messages) -> None:
    """Send the DICOM results of a command.

    Args:
        address: The archive.
        cases: The cases that are complete.
        messages: Receives what was sent.

    Raises:
        ConfigError: The address is invalid.
        BackendError: The archive does not answer, or does not take an object; or a library is not installed.
    """
    [config] = destinations_of(address)
    destination = open_destination(
        config, _AE_TITLE, _TIMEOUT_SECONDS, credentials_of_environment()
    )
    objects = [
        SentObject.from_file(case.files[name]) for case in cases for name in sendable([*case.files])
    ]
    if not objects:
        return
    try:
        connection = destination.connect(objects)
        try:
            for each in objects:
                connection.send(each)
        finally:
            connection.close()
    except (UnreachableError, RejectedError) as error:
        raise BackendError(
            f"the results cannot be sent ({error}); expected an archive that takes them. They are in the output "
            "folder: correct the address, or send them later."
        ) from None
    messages.note(f"{len(objects)} object{'s' * (len(objects) > 1)} sent.")
