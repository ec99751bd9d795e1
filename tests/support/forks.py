"""Work in a forked child, with a time limit: a child that hangs is a failure."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 120


def in_a_fork(work: Callable[[], Any]) -> Any:
    """What the work returns in a forked child, or the exception that it raises there."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(work, there))
    child.start()
    try:
        assert here.poll(TIMEOUT_S), "the forked child hangs"
        return here.recv()
    finally:
        child.kill()
        child.join()


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What the work returns in a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(TIMEOUT_S)
    return found[0]


def _send(work: Callable[[], Any], there: Any) -> None:
    try:
        result = work()
    except Exception as error:
        result = error
    there.send(result)
