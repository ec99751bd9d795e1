"""Ctrl-C and SIGTERM: what was begun is cleared away, one line is said, and the shell gets its code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from rma_mamba.pipeline.signals import preserve_sigterm_handler

_SIGNAL_CODES = 128  # what shells add to a signal's number


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM in the block into one line and the exit codes 130 and 143."""
    terminated = threading.Event()
    try:
        with _sigterm_raises(terminated):
            yield
    except KeyboardInterrupt:
        number = signal.SIGTERM if terminated.is_set() else signal.SIGINT
        what = "terminated" if terminated.is_set() else "interrupted"
        typer.echo(f"rma-mamba: {what}; no half-written file was left.", err=True)
        raise typer.Exit(_SIGNAL_CODES + number) from None


@contextmanager
def _sigterm_raises(terminated: threading.Event) -> Iterator[None]:
    """SIGTERM is cleared away after as Ctrl-C is; the event tells them apart, whatever others raise from it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        terminated.set()
        raise KeyboardInterrupt

    with preserve_sigterm_handler():
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, interrupt)
        yield
