"""A progress bar on stderr with the time left; nothing if stderr is not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WIDTH = 30
_REDRAW_S = 0.1


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that draws the bar; it is erased at the end of the block."""
    if sys.stderr is None or not sys.stderr.isatty():
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
    """One line: label, bar, count and, after the first step, the time left."""
    share = done / total if total else 1.0
    filled = round(_WIDTH * share)
    left = ""
    if done:
        minutes, seconds = divmod(round(passed_s / done * (total - done)), 60)
        left = f"  {minutes}:{seconds:02d} left"
    return f"{label} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}{left}"
