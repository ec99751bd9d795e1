"""SIGKILL of the server: what was saved is there, what was not is in the draft, and nothing is half-written."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import httpx
import numpy as np
import pytest

from rma_mamba.pipeline.review.mask_versions import MaskVersions
from viewer_server import Viewer, edited

TOKEN = "t" * 40
PROGRAM = """
import sys
from pathlib import Path
from rma_mamba.server.access_control import AccessRules
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.web_server import Binding, WebServer, serve

options = ServeOptions(Path(sys.argv[1]), Path(sys.argv[2]), preload=False)
server = WebServer(options, Binding(), AccessRules(sys.argv[3]))
serve(server, lambda link: print(link, flush=True), browser=False)
"""


@pytest.fixture
def start(tmp_path: Path):
    """Start a server in a process of its own; the process, and a client."""
    started: list[tuple[subprocess.Popen[str], httpx.Client]] = []

    def begin() -> tuple[subprocess.Popen[str], Viewer]:
        folders = [str(tmp_path / "scans"), str(tmp_path / "out")]
        command = [sys.executable, "-c", PROGRAM, *folders, TOKEN]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        address = process.stdout.readline().split("/?")[0]
        headers = {"authorization": f"Bearer {TOKEN}"}
        client = httpx.Client(base_url=address, headers=headers, timeout=60)
        started.append((process, client))
        return process, Viewer(client, None)  # type: ignore[arg-type]

    yield begin
    for process, client in started:
        client.close()
        process.kill()
        process.communicate()


Begin = Callable[[], tuple[subprocess.Popen[str], Viewer]]


def test_what_was_saved_survives_a_kill(
    server: Viewer, case: str, served: Path, tmp_path: Path, start: Begin
) -> None:
    name = server.wait(case)["name"]
    folder = tmp_path / "out" / name
    folder.mkdir(parents=True)
    for each in ("run.json", "liver.nii.gz", "statistics.json"):
        copy(served / "rma-mamba-results" / name / each, folder / each)
    scan = tmp_path / "scans" / f"{name}.nii.gz"
    scan.parent.mkdir(parents=True)
    copy(served / f"{name}.nii.gz", scan)
    process, first = start()
    (row,) = first.wait_for_rows()
    image = first.mask(row["id"])
    values = np.random.default_rng(0).integers(0, 2, image.shape).astype(np.uint8)
    url = f"/api/cases/{row['id']}"
    saved = first.client.post(f"{url}/versions", content=edited(image, values))
    assert saved.status_code == 201, saved.text
    body = {"state": "corrected", "note": "rim"}
    assert first.client.put(f"{url}/review", json=body).status_code == 200
    draft = edited(image, 1 - values)
    assert first.client.put(f"{url}/draft?window=w", content=draft).status_code == 200
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, second = start()
    found = second.case(row["id"])
    assert [each["version"] for each in found["versions"]] == [1, 2]
    assert found["review"]["note"] == "rim"
    assert np.array_equal(np.asarray(second.mask(row["id"], 2).dataobj), values)
    assert second.client.get(f"{url}/draft?window=w").content == draft
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert len(MaskVersions(folder).all()) == 2
