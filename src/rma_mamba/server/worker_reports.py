"""What all tasks of worker processes share: reports to the server, and how the scan of a case is read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.volume import Volume


class Cancelled(Exception):  # noqa: N818 (not an error)
    """The server has cancelled the task."""


class Reporter:
    """Sends progress to the server, and ends a task that was cancelled."""

    def __init__(self, send: Callable[[dict[str, Any]], None], cancelled: threading.Event) -> None:
        self._send, self._cancelled = send, cancelled

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Report a stage of a task, and how many slices are done.

        Raises:
            Cancelled: The task is to end.
        """
        if self._cancelled.is_set():
            raise Cancelled
        self._send({"stage": stage, "slice": done, "slices": total})


def reading_options(case: dict[str, Any]) -> ReadOptions:
    """How the scan of a case is read."""
    return ReadOptions(series=case.get("series"), volume="all" if case["volume"] else None)


def read_case_scan(case: dict[str, Any]) -> Volume:
    """The scan of a case, from its own files.

    Raises:
        ScanError, GridError: It cannot be read, or is not known.
    """
    if case["scan"] is None:
        raise ScanError(
            "the scan of the case was not found; expected it in the folder of the scans. "
            "Start the server with the folder of the scans, and --results."
        )
    return reading_options(case).read(Path(case["scan"]), case["volume"], any_study=True)
