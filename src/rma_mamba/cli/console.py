"""What the commands say to a person: notes, warnings and a progress bar, all on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

_WIDTH = 30
_REDRAW_S = 0.1


@dataclass(frozen=True)
class Console:
    """stderr at the loudness asked for: warnings always, notes unless quiet, details if verbose."""

    quiet: bool = False
    verbose: bool = False

    def warn(self, sentences: Iterable[str]) -> None:
        """Print each warning once, on a line of its own."""
        for sentence in dict.fromkeys(sentences):
            typer.echo(f"rma-mamba: warning: {sentence}", err=True)

    def fail(self, text: str) -> None:
        """Print an error that does not end the command."""
        typer.echo(f"rma-mamba: error: {text}", err=True)

    def note(self, text: str) -> None:
        """Print a line unless quiet."""
        if not self.quiet:
            typer.echo(text, err=True)

    def detail(self, text: str) -> None:
        """Print a line if verbose."""
        if self.verbose:
            typer.echo(text, err=True)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """A function of (done, total) that draws a bar with the time left while the block runs.

        It draws nothing if quiet or if stderr is no terminal; the bar is wiped at the end.
        """
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield lambda done, total: None
            return
        started, drawn = time.monotonic(), -_REDRAW_S

        def draw(done: int, total: int) -> None:
            nonlocal drawn
            passed = time.monotonic() - started
            if done == total or passed - drawn >= _REDRAW_S:
                drawn = passed
                sys.stderr.write(f"\r{bar(label, done, total, passed)}\x1b[K")
                sys.stderr.flush()

        try:
            yield draw
        finally:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def bar(label: str, done: int, total: int, passed_s: float) -> str:
    """One line: label, bar, count and the time left, if it can be told already."""
    share = done / total if total else 1.0
    filled = round(_WIDTH * share)
    left = ""
    if done:
        minutes, seconds = divmod(round(passed_s / done * (total - done)), 60)
        left = f"  {minutes}:{seconds:02d} left"
    return f"{label} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}{left}"
