"""A node whose network is a threshold: it starts in a second. Everything else is the real node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydicom.uid import generate_uid

import rma_mamba
from archive import echo, until
from clinical_series import clinical_series
from dicom_series import save
from orthanc import free_port

CRASHING = "crash"  # SeriesDescription of a study that ends the process


def load(request: Any, progress: Any) -> None:
    """In place of `load_network`."""
    from command_line import FakeSegmenter

    module = ModuleType("rma_mamba.inference")
    module.Segmenter = FakeSegmenter  # type: ignore[attr-defined]
    module.__path__ = [str(Path(rma_mamba.__file__).with_name("inference"))]
    sys.modules["rma_mamba.inference"] = module


def segment(task: Any, progress: Any) -> Any:
    """In place of `segment_study`."""
    from rma_mamba.scans import list_series
    from rma_mamba.server.node.study_task import segment_study

    load(task.request, progress)
    if any(each.description == CRASHING for each in list_series(task.images)):
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(float(os.environ.get("QUICK_NODE_SECONDS", "0")))
    return segment_study(task, progress)


def main(configuration: str) -> None:
    """Run the node."""
    from rma_mamba.cli.console import Console
    from rma_mamba.cli.service_commands import stopping
    from rma_mamba.server.node import node, work_loop
    from rma_mamba.server.node.config import load_config

    node.load_network, node.segment_study = load, segment  # type: ignore[assignment]
    work_loop._FIRST_PAUSE_SECONDS = 0.1
    node._CONNECTED_FACTOR = 100  # a transfer that pauses, on a busy machine, is not taken for two
    with stopping() as stop:
        node.Node(load_config(configuration), Console()).run(stop)


def study(folder: Path, *, slices: int = 3, uid: str = "", **elements: Any) -> list[Path]:
    """The files of a new study with a bright box."""
    uid, series = uid or generate_uid(), generate_uid()
    images = clinical_series(slices=slices, StudyInstanceUID=uid, SeriesInstanceUID=series)
    for number, data in enumerate(images):
        data.SOPInstanceUID, data.SeriesDescription = generate_uid(), "Liver"
        pixels = np.frombuffer(data.PixelData, "<u2").reshape(data.Rows, data.Columns).copy()
        pixels[8:20, 6 : 12 + number] = 2000
        data.PixelData = pixels.tobytes()
        for keyword, value in elements.items():
            setattr(data, keyword, value)
    return sorted(save(folder, images).iterdir())


@dataclass
class QuickNode:
    """A node that can be started, killed and started again.

    Args:
        folder: For its configuration and queue.
        destinations: Tables of the configuration, as TOML.
        settings: Other lines of the configuration.
        seconds: Duration of a segmentation.
    """

    folder: Path
    destinations: Sequence[str]
    settings: str = ""
    seconds: float = 0.0
    command: Sequence[str | Path] = ()
    port: int = field(default_factory=free_port)
    tls: Any = None
    process: subprocess.Popen[bytes] | None = None
    skipped: int = 0

    def __enter__(self) -> QuickNode:
        self.folder.mkdir(exist_ok=True)
        tables = "\n".join(f"[[destinations]]\n{each}" for each in self.destinations)
        self.path.write_text(
            f'[listener]\nport = {self.port}\nfolder = "queue"\nquiet_seconds = 0.6\nstart_seconds = 0.1\n'
            f'min_free_gb = 0\n[[callers]]\nae_title = "CT1"\n[[callers]]\nae_title = "ORTHANC"\n{tables}\n'
            "[delivery]\nfirst_retry_seconds = 0.2\nmax_retry_seconds = 1\ntimeout_seconds = 5\n"
            f"{self.settings}\n"
            + ("" if "[metrics]" in self.settings else '[metrics]\nport = "none"\n')
        )
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def path(self) -> Path:
        return self.folder / "node.toml"

    def start(self) -> QuickNode:
        support = Path(__file__).parent
        source = Path(rma_mamba.__file__).parents[1]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{source}:{support}",
            "QUICK_NODE_SECONDS": str(self.seconds),
        }
        run = f"import quick_node; quick_node.main({str(self.path)!r})"
        command = self.command or (sys.executable, "-c", run)
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [*command], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        process, started = self.process, len(self.events("started"))
        until(lambda: process.poll() is not None or len(self.events("started")) > started)
        assert self.process.poll() is None, (self.folder / "log").read_text()
        assert echo(self.port, **({"tls_args": self.tls} if self.tls else {}))
        return self

    def kill(self) -> None:
        """SIGKILL, as by a power failure."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()

    def events(self, event: str = "") -> list[dict[str, Any]]:
        """The events of the audit log."""
        log = self.folder / "queue" / "audit.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        records = [json.loads(line) for line in lines[self.skipped :]]
        return [each for each in records if event in ("", each["event"])]

    def forget(self) -> None:
        """Leave out the events until now."""
        self.skipped = 0
        self.skipped = len(self.events())

    def until(self, event: str, count: int = 1, seconds: float = 60.0) -> dict[str, Any]:
        """The last of so many events of one type."""
        return until(lambda: (self.events(event)[count - 1 :] or [None])[0], seconds)
