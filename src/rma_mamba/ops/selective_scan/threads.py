"""Run tasks on the threads of torch.

Idle threads of torch spin while they wait for work, and a separate thread pool competes with them for the cores: on two
cores, a scan took twice as long. Tasks therefore run on torch's own OpenMP team if its library is accessible, and on a
thread pool otherwise.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from rma_mamba.ops.after_fork import expect_fork, is_stranded, openmp

_Work = Callable[[], None]
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_tasks(task: Callable[[int], None], tasks: int) -> None:
    """Run task(0) ... task(tasks - 1) on as many threads as torch uses. Tasks should release the GIL.

    Raises:
        Exception: The first exception of a task; the remaining tasks may not have run.
    """
    threads = min(torch.get_num_threads(), tasks)
    queue = iter(range(tasks))  # next() is atomic: a thread takes the next task when it is free

    def work() -> None:
        for number in queue:
            task(number)

    if threads <= 1:
        work()
    elif (team := _torch_team()) is not None:
        _on_team(team, work, queue, threads)
    else:
        _pool.run(work, threads)


def _torch_team() -> Any:
    """The OpenMP entry point of torch; None if there is none, or if this thread lost its team in a fork."""
    if is_stranded() or (library := openmp()) is None:
        return None
    expect_fork()
    return library.GOMP_parallel


def _on_team(team: Any, work: _Work, queue: Iterator[int], threads: int) -> None:
    failures: list[BaseException] = []

    def guarded(_: Any) -> None:  # exceptions cannot propagate through OpenMP
        try:
            work()
        except BaseException as error:
            failures.append(error)
            for _ in queue:  # leave nothing for the other threads
                pass

    team(_CALLBACK(guarded), None, threads, 0)
    if failures:
        raise failures[0]


class _Pool:
    """A thread pool that is recreated when torch uses more threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._executor: ThreadPoolExecutor | None = None

    def run(self, work: _Work, threads: int) -> None:
        """Run the work on `threads` threads at once, including the calling one."""
        futures = [self._executor_for(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for future in futures:
            future.result()

    def _executor_for(self, threads: int) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None or self._threads < threads:
                self._executor = ThreadPoolExecutor(threads, thread_name_prefix="rma-mamba-scan")
                self._threads = threads
            return self._executor


_pool = _Pool()


def _replace_pool() -> None:
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        after_in_child=_replace_pool
    )  # threads do not survive, and the lock may be held
