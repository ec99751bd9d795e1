"""Work on the cases of a dataset, spread over processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rma_mamba.errors import ScanError

Item = TypeVar("Item")
Result = TypeVar("Result")

_FEWEST_ITEMS = 8  # below, starting processes takes longer than the work


def usable_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def mapped(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[Result]:
    """The results for all items in their order, as they become available.

    Args:
        function: A function of a module, or a partial of one.
        items: What it is called with.
        jobs: Number of processes; few items are not worth any.

    Raises:
        ScanError: A process died, for example because memory ran out.
    """
    jobs = min(jobs, len(items))
    if jobs <= 1 or len(items) < _FEWEST_ITEMS:
        yield from map(function, items)
        return
    # new processes, because a forked one inherits locks and threads of torch
    context = multiprocessing.get_context("spawn")
    threads = max(1, usable_cores() // jobs)
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start_process, initargs=(threads,)
    )
    try:
        yield from pool.map(function, items)
    except BrokenProcessPool as error:
        raise ScanError(
            "a process that reads cases died, perhaps because memory ran out; expected it to finish. "
            "Use fewer with --jobs."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_process(threads: int) -> None:
    # before torch is imported: the threads of all processes would otherwise wait for each other's cores
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # Ctrl-C reaches all processes of a terminal; the parent ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
