"""Ctrl-C and SIGTERM: what was begun is cleared away, one line is said, and the shell gets its code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

_SIGNAL_CODES = 128  # what shells add to a signal's number


class Terminated(KeyboardInterrupt):
    """SIGTERM came: it is cleared away after it as after Ctrl-C."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM in the block into one line and the exit codes 130 and 143."""
    try:
        with _sigterm_raises():
            yield
    except KeyboardInterrupt as interrupt:
        terminated = isinstance(interrupt, Terminated)
        number = signal.SIGTERM if terminated else signal.SIGINT
        what = "terminated" if terminated else "interrupted"
        typer.echo(f"rma-mamba: {what}; no half-written file was left.", err=True)
        raise typer.Exit(_SIGNAL_CODES + number) from None


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only that one gets signals
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated
