"""Standard streams that are closed, have lost their reader, are full, or have an encoding without some letters."""

from __future__ import annotations

import io
import os
import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import Any, Final, TextIO, cast

_STREAMS: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}


class OutputError(Exception):
    """What the command prints cannot be written. No `OSError`: Typer would end the command without a word.

    Args:
        message: What was found, what was expected, what to do next.
        broken_pipe: Whoever was to read it has gone.
    """

    def __init__(self, message: str, *, broken_pipe: bool) -> None:
        super().__init__(message)
        self.broken_pipe = broken_pipe


def repair_streams() -> None:
    """Prepare stdin, stdout and stderr for anything that is printed.

    - Closed streams are opened to the null device: the next file that is opened would get their number, and everything
      that libraries print.
    - Letters that the encoding lacks are replaced.
    - If stdout cannot be written, `OutputError` is raised. If stderr cannot, messages are lost and the command goes on.
    """
    for number, (name, mode) in enumerate(_STREAMS.items()):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors != "backslashreplace":
        sys.stdout.reconfigure(errors="replace")
    sys.stdout = cast(TextIO, _Guarded(sys.stdout, is_data=True))
    sys.stderr = cast(TextIO, _Guarded(sys.stderr, is_data=False))


def progress_on_stderr() -> AbstractContextManager[object]:
    """In the block, what is printed goes to stderr: Lightning's progress is not part of the output."""
    return redirect_stdout(sys.stderr)


class _Guarded:
    """A stream that writes to the null device after its first failure, so that the flush at exit does not fail again.

    It has no `buffer`, because Typer would encode ASCII streams as UTF-8.
    """

    def __init__(self, stream: TextIO, *, is_data: bool) -> None:
        self._stream, self._is_data = stream, is_data

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        if text == "":  # Typer tries whether the stream takes text, and would swallow the failure
            return 0
        try:
            return self._stream.write(text)
        except OSError as error:
            self._fail(error)
            return len(text)

    def flush(self) -> None:
        """As `TextIO.flush`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._is_data:
            raise OutputError(
                f"the output cannot be printed ({error.strerror}); expected a terminal, pipe or file that takes it. "
                "Free some space, or redirect the output elsewhere.",
                broken_pipe=isinstance(error, BrokenPipeError),
            ) from error
