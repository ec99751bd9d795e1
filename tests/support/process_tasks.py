"""Tasks for a process of its own; the process imports them by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from rma_mamba.errors import ScanError

Progress = Callable[[int, int], None]


def process_id(progress: Progress) -> int:
    return os.getpid()


def count_to(limit: int, progress: Progress) -> int:
    for number in range(1, limit + 1):
        progress(number, limit)
    return limit


def fail(kind: str, progress: Progress) -> None:
    if kind == "scan":
        raise ScanError("no scan")
    if kind == "memory":
        raise MemoryError
    raise ValueError("John Doe's scan")


def crash(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep(seconds: float, progress: Progress) -> None:
    progress(os.getpid(), 0)
    time.sleep(seconds)
