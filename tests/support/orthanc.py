"""A private Orthanc server: an archive that transcodes, stores and finds DICOM files."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 20


def free_port() -> int:
    """A TCP port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def orthanc(folder: Path, **changes: object) -> Iterator[str]:
    """The address of a server that stores its data in a folder, until the end of the block."""
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": False,
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "Plugins": [],
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    program = shutil.which("Orthanc")
    assert program is not None
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program, folder / "orthanc.json"], **quiet) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address)
            yield address
        finally:
            server.terminate()


def transcoded(address: str, content: bytes, syntax: str) -> bytes:
    """A DICOM file in another transfer syntax."""
    stored = json.loads(_post(f"{address}/instances", content))
    request = {"Transcode": syntax, "Keep": ["SOPInstanceUID"], "Force": True}
    return _post(f"{address}/instances/{stored['ID']}/modify", json.dumps(request).encode())


def _post(url: str, content: bytes) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, content), timeout=20) as answer:
        found: bytes = answer.read()
    return found


def _wait(address: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{address}/system", timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("Orthanc did not start")
