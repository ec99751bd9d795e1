"""A running server of the viewer, with a tiny network in its worker, and requests as a page sends them."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nibabel as nib
import numpy as np

from rma_mamba.pipeline.request import NetworkOptions
from rma_mamba.server.access_control import AccessRules
from rma_mamba.server.serve_options import ServeOptions, UploadLimits
from rma_mamba.server.web_server import Binding, WebServer

FINAL = ("done", "failed", "cancelled")


@dataclass
class Viewer:
    """A client of a running server, and the server's secret."""

    client: httpx.Client
    rules: AccessRules

    def case(self, case: str) -> dict[str, Any]:
        """Everything about a case."""
        answer = self.client.get(f"/api/cases/{case}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, case: str, seconds: float = 90) -> dict[str, Any]:
        """A case whose job has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            row = next(row for row in self.client.get("/api/cases").json() if row["id"] == case)
            if row["status"] in FINAL:
                return row
            time.sleep(0.05)
        raise AssertionError(f"the case is still {row['status']}")

    def wait_for_rows(self, seconds: float = 60) -> list[dict[str, Any]]:
        """The work list, once it has a row."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if rows := self.client.get("/api/cases").json():
                return list(rows)
            time.sleep(0.05)
        raise AssertionError("no case was found")

    def upload(self, *files: tuple[str, bytes]) -> dict[str, Any]:
        """Send files, each with its relative path."""
        parts = [("files", (name, content)) for name, content in files]
        answer = self.client.post("/api/uploads", files=parts)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def mask(self, case: str, version: int | str = "newest") -> nib.Nifti1Image:
        """The mask of a version."""
        answer = self.client.get(f"/api/cases/{case}/versions/{version}/mask.nii.gz")
        assert answer.status_code == 200, answer.text
        return nib.Nifti1Image.from_bytes(gzip.decompress(answer.content))


@contextmanager
def viewer(
    weights: Path,
    folder: Path | None = None,
    results: Path | None = None,
    limits: UploadLimits | None = None,
    *,
    preload: bool = False,
) -> Iterator[Viewer]:
    """A running server, which is stopped at the end of the block."""
    options = ServeOptions(
        folder,
        results,
        NetworkOptions(str(weights), "cpu"),
        limits or UploadLimits(),
        preload=preload,
    )
    rules = AccessRules()
    headers = {"authorization": f"Bearer {rules.token}"}
    with (
        running_server(options, rules) as address,
        httpx.Client(base_url=address, headers=headers, timeout=60) as client,
    ):
        yield Viewer(client, rules)


@contextmanager
def running_server(options: ServeOptions, rules: AccessRules) -> Iterator[str]:
    """The address of a running server, which is stopped at the end of the block."""
    server = WebServer(options, Binding(), rules)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.is_ready:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.address
    finally:
        server.stop()
        thread.join()


def nifti(values: np.ndarray[Any, Any], affine: Any = None) -> bytes:
    """A NIfTI file in memory."""
    affine = np.diag([2.0, 2.0, 5.0, 1.0]) if affine is None else affine
    return gzip.compress(nib.Nifti1Image(values, affine).to_bytes(), 1)


def edited(image: nib.Nifti1Image, values: np.ndarray[Any, Any]) -> bytes:
    """Other values on the grid of an image, as a page would send them."""
    return gzip.compress(nib.Nifti1Image(values, image.affine, image.header).to_bytes(), 1)


def box_scan() -> np.ndarray[Any, Any]:
    """An MR-like scan with a bright box."""
    values = np.full((24, 20, 8), 100, dtype=np.int16)
    values[8:16, 6:11, 2:6] = 1000
    return values


def events(text: str) -> list[dict[str, Any]]:
    """The data of server-sent events."""
    lines = io.StringIO(text).readlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
