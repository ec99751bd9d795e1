"""Messages of the commands: notes, warnings, errors and progress, all on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import typer

from rma_mamba.cli.progress_bar import progress_bar


@dataclass(frozen=True)
class Console:
    """The `Messages` of the pipeline on stderr: warnings and errors always, notes unless quiet, details if verbose."""

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

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A progress bar, unless quiet."""
        return nullcontext(lambda done, total: None) if self.quiet else progress_bar(label)
