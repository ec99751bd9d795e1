"""Tasks for a process of its own; the process imports them by name."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable

from rma_mamba.errors import ScanError

Progress = Callable[..., None]


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
    if kind == "disk":
        raise ScanError("no space") from OSError(errno.ENOSPC, "No space left on device")
    raise ValueError("John Doe's scan")


def die_of(number: int, progress: Progress) -> None:
    os.kill(os.getpid(), number)


def sleep(seconds: float, progress: Progress) -> None:
    progress(os.getpid(), 0)
    time.sleep(seconds)


def report_until_cancelled(progress: Progress) -> None:
    while True:
        progress(0, 0)
        time.sleep(0.01)


def print_much(progress: Progress) -> str:
    print("a library prints", flush=True)
    os.write(1, b"and another one")
    return "answer"


def give_what_cannot_be_sent(progress: Progress) -> object:
    return lambda: None


def start_helper(progress: Progress) -> int:
    """A process of a library, which has the pipes of this one."""
    return subprocess.Popen(["sleep", "60"], close_fds=False).pid


# in place of `worker_pool.carry_out`


def count_for_server(task: str, arguments: dict[str, int], progress: Progress) -> int:
    return count_to(arguments["limit"], progress)


def sleep_for_server(task: str, arguments: dict[str, float], progress: Progress) -> None:
    sleep(arguments["seconds"], progress)


def process_id_for_server(task: str, arguments: dict[str, object], progress: Progress) -> int:
    return os.getpid()


# in place of `load_network`


def load_forever(request: object, progress: Progress) -> None:
    time.sleep(60)


def die_while_loading(request: object, progress: Progress) -> None:
    die_of(signal.SIGKILL, progress)
