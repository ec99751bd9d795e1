"""Orthanc as the archive of a node, a sender of images, and a receiver that counts what it gets."""

from __future__ import annotations

import gc
import io
import json
import shutil
import threading
import time
import urllib.request
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom import (
    AE,
    DEFAULT_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    StoragePresentationContexts,
    evt,
)
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from orthanc import free_port, orthanc

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

needs_orthanc = pytest.mark.skipif(
    shutil.which("Orthanc") is None, reason="Orthanc is not installed (Debian's orthanc)"
)
needs_dicomweb = pytest.mark.skipif(
    shutil.which("Orthanc") is None or not PLUGIN.is_file(),
    reason="Orthanc or its DICOMweb plugin is not installed (Debian's orthanc-dicomweb)",
)


@dataclass(frozen=True)
class Archive:
    """A running Orthanc: its address over HTTP, and its DICOM port."""

    http: str
    port: int

    @property
    def dicomweb(self) -> str:
        return f"{self.http}/dicom-web"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.http}{path}", timeout=20) as answer:
            content: bytes = answer.read()
        return content

    def post(self, path: str, content: bytes) -> bytes:
        request = urllib.request.Request(f"{self.http}{path}", content)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def delete(self, path: str) -> None:
        request = urllib.request.Request(f"{self.http}{path}", method="DELETE")
        urllib.request.urlopen(request, timeout=20).close()

    def add(self, folder: Path) -> None:
        for file in sorted(folder.iterdir()):
            self.post("/instances", file.read_bytes())

    def objects(self) -> list[pydicom.Dataset]:
        """All instances."""
        names = json.loads(self.get("/instances"))
        return [pydicom.dcmread(io.BytesIO(self.get(f"/instances/{name}/file"))) for name in names]

    def results(self) -> dict[str, list[pydicom.Dataset]]:
        """The instances that are not images, by modality."""
        found: dict[str, list[pydicom.Dataset]] = {}
        for each in self.objects():
            if each.Modality not in ("CT", "MR"):
                found.setdefault(each.Modality, []).append(each)
        return found


@contextmanager
def archive(folder: Path, port: int | None = None, **modalities: int) -> Iterator[Archive]:
    """Orthanc with a DICOM port, with DICOMweb if its plugin is installed, and with peers by name and port."""
    port = port or free_port()
    changes = {
        "DicomServerEnabled": True,
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "DicomModalities": {
            name: ["RMA_MAMBA", "127.0.0.1", at] for name, at in modalities.items()
        },
        "Plugins": [str(PLUGIN)] if PLUGIN.is_file() else [],
        "DicomWeb": {"Enable": True},
    }
    with orthanc(folder, **changes) as http:
        yield Archive(http, port)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The value of a condition as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError("the condition did not become true")


@contextmanager
def associated(
    port: int, *, caller: str = "CT1", called: str = "RMA_MAMBA", **settings: Any
) -> Iterator[Any]:
    """An association to send images over, which may have been rejected; released at the end of the block."""
    entity = AE(caller)
    entity.requested_contexts = StoragePresentationContexts[:120]
    association = entity.associate("127.0.0.1", port, ae_title=called, **settings)
    try:
        yield association
    finally:
        _end(association)


def store(association: Any, files: list[Path]) -> list[int]:
    """The status of each image that is sent over an association."""
    return [association.send_c_store(pydicom.dcmread(file)).Status for file in files]


def send(files: list[Path], port: int, **settings: Any) -> list[int]:
    """The status of each image that is sent by C-STORE; an empty list if the association is rejected."""
    with associated(port, **settings) as association:
        return store(association, files) if association.is_established else []


def echo(port: int, *, caller: str = "CT1", called: str = "RMA_MAMBA", **settings: Any) -> bool:
    """Whether a node answers C-ECHO."""
    entity = AE(caller)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port, ae_title=called, **settings)
    answered = association.is_established and association.send_c_echo().get("Status") == 0
    _end(association)
    return bool(answered)


def _end(association: Any) -> None:
    """Release an association, and close the socket of one that was not accepted."""
    if association.is_established:
        association.release()
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.close()


@dataclass
class Receiver:
    """An archive that counts how often it gets each object.

    Args:
        port: Its port.
        counts: Number of C-STORE requests by SOPInstanceUID.
        answers: Status of the next requests; afterwards success.
        finds: Whether it answers C-FIND.
        answering: Cleared: objects are stored, and not answered until it is set again.
    """

    port: int
    counts: Counter[str] = field(default_factory=Counter)
    answers: list[int] = field(default_factory=list)
    finds: bool = True
    answering: threading.Event = field(default_factory=threading.Event)
    stored: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, event: Any) -> int:
        with self.lock:
            uid = str(event.request.AffectedSOPInstanceUID)
            self.counts[uid] += 1
            status = self.answers.pop(0) if self.answers else 0
            if status == 0:
                self.stored.add(uid)
        self.answering.wait(60)
        return status

    def find(self, event: Any) -> Iterator[tuple[int, pydicom.Dataset | None]]:
        uid = str(event.identifier.SOPInstanceUID)
        if not self.finds:
            yield 0xC001, None
            return
        if uid in self.stored:
            yield 0xFF00, event.identifier
        yield 0x0000, None


@contextmanager
def receiver(
    port: int | None = None, tls: Any = None, syntaxes: Any = None, **settings: Any
) -> Iterator[Receiver]:
    """A running receiver with the AE title PACS; of the transfer syntaxes, it prefers the first."""
    found = Receiver(port or free_port(), **settings)
    found.answering.set()
    entity = AE("PACS")
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, syntaxes or DEFAULT_TRANSFER_SYNTAXES)
    entity.add_supported_context(Verification)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    handlers = [(evt.EVT_C_STORE, found.store), (evt.EVT_C_FIND, found.find)]
    server = entity.start_server(
        ("127.0.0.1", found.port), block=False, evt_handlers=handlers, ssl_context=tls
    )
    try:
        yield found
    finally:
        found.answering.set()
        server.shutdown()
        with warnings.catch_warnings():  # sockets that the library leaves open
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
