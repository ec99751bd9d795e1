"""Ctrl-C and SIGTERM: clean up, print one line, and exit with the code that shells expect."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from rma_mamba.pipeline.exit_codes import ExitCode
from rma_mamba.pipeline.signals import preserve_sigterm_handler


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM in the block into one line and the exit codes 130 and 143."""
    terminated = threading.Event()
    try:
        with _sigterm_interrupts(terminated):
            yield
    except KeyboardInterrupt:
        code = ExitCode.TERMINATED if terminated.is_set() else ExitCode.INTERRUPTED
        what = code.name.lower()
        typer.echo(f"rma-mamba: {what}; no partially written file was left behind.", err=True)
        raise typer.Exit(code) from None


@contextmanager
def _sigterm_interrupts(terminated: threading.Event) -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, so that it cleans up as Ctrl-C does, and set the event."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        terminated.set()
        raise KeyboardInterrupt

    with preserve_sigterm_handler():
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, interrupt)
        yield
