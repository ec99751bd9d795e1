"""How the pipeline reports progress, notes, warnings and errors; it prints nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Progress = Callable[[int, int], None]  # steps done, steps in total


class Messages(Protocol):
    """Receiver of messages, such as the console of the command line."""

    def warn(self, sentences: Iterable[str]) -> None:
        """Warnings about a scan or a mask."""

    def fail(self, text: str) -> None:
        """An error that does not stop the run."""

    def note(self, text: str) -> None:
        """A line of normal output."""

    def detail(self, text: str) -> None:
        """A line of verbose output."""

    def progress(self, label: str) -> AbstractContextManager[Progress]:
        """Progress of one task: a context whose value is called with (done, total)."""


class NoMessages:
    """Discard all messages."""

    def warn(self, sentences: Iterable[str]) -> None:
        """Discard warnings."""

    def fail(self, text: str) -> None:
        """Discard an error."""

    def note(self, text: str) -> None:
        """Discard a note."""

    def detail(self, text: str) -> None:
        """Discard a detail."""

    def progress(self, label: str) -> AbstractContextManager[Progress]:
        """Discard progress."""
        return nullcontext(ignore_progress)


def ignore_progress(done: int, total: int) -> None:
    """Discard progress of one task."""
