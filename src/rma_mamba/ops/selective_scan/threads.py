"""Tasks on the threads that torch computes with.

Torch's threads wait for their next piece of work by spinning. A pool of other threads beside them would
share the cores with that: measured, half of the time of a scan on two cores. So tasks run on torch's own team where its
OpenMP library can be asked for it, and on a thread pool elsewhere.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import torch

_Work = Callable[[], None]
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_LOADED_BY = os.getpid()


def run_tasks(task: Callable[[int], None], tasks: int) -> None:
    """Run task(0) ... task(tasks - 1) on as many threads as torch computes with; each should release the GIL.

    Raises:
        Exception: What a task raised; the others may have run or not.
    """
    threads = min(torch.get_num_threads(), tasks)
    todo = iter(range(tasks))  # next() is atomic: a thread takes a task when it is done with one

    def work() -> None:
        for number in todo:
            task(number)

    if threads <= 1:
        work()
    elif (team := _torch_team()) is not None:
        _on_team(team, work, todo, threads)
    else:
        _pool.run(work, threads)


def _torch_team() -> Any:
    """The entry to torch's OpenMP team, or None: not there, or in a forked child, whose team stayed behind."""
    return _openmp() if os.getpid() == _LOADED_BY else None


@cache
def _openmp() -> Any:
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            entry = ctypes.CDLL(str(path)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        entry.argtypes = [_CALLBACK, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        entry.restype = None
        return entry
    return None


def _on_team(team: Any, work: _Work, todo: Iterator[int], threads: int) -> None:
    failures: list[BaseException] = []

    def guarded(_: Any) -> None:  # an exception cannot pass through OpenMP
        try:
            work()
        except BaseException as error:
            failures.append(error)
            for _ in todo:  # nothing is left for the others
                pass

    team(_CALLBACK(guarded), None, threads, 0)
    if failures:
        raise failures[0]


class _Pool:
    """A thread pool that is created again in a forked child and grows when torch is given more threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner, self._threads = 0, 0
        self._executor: ThreadPoolExecutor | None = None

    def run(self, work: _Work, threads: int) -> None:
        """Run the same work on so many threads at a time, the caller's among them."""
        others = [self._get(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()

    def _get(self, threads: int) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None or self._owner != os.getpid() or self._threads < threads:
                self._executor = ThreadPoolExecutor(threads, thread_name_prefix="rma-mamba-scan")
                self._owner, self._threads = os.getpid(), threads
            return self._executor


_pool = _Pool()
