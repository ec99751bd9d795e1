"""A library that may abort its process, in a process of its own: started once, and replaced after an abort.

The other process runs a script that answers each line of JSON on stdin with one line of JSON on stdout, until stdin is
closed. Bytes may follow a line in both directions.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from rma_mamba.errors import BackendError, RmaMambaError

_IMPORT_FAILED = 1  # exit code of Python after an exception that nobody handles


class WorkerError(Exception):
    """The library raised an exception, or aborted."""


class WorkerProcess:
    """The other process: one question at a time.

    Args:
        script: The script that it runs.
        library: Name of the library, for the error if it cannot be imported.
        advice: What to do then.
    """

    def __init__(self, script: Path, library: str, advice: str) -> None:
        self.library, self.advice = library, advice
        self.popen = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries print paths
            bufsize=0,  # a buffer has a lock, which the child of a fork could wait for
        )
        self.stdin = cast("BinaryIO", self.popen.stdin)
        self.stdout = cast("BinaryIO", self.popen.stdout)

    @property
    def is_usable(self) -> bool:
        """Whether it still runs."""
        return self.popen.poll() is None

    def ask(self, request: dict[str, Any], content: bytes = b"") -> dict[str, Any]:
        """The answer to a request, which may be followed by bytes.

        Raises:
            WorkerError: The library raised an exception or aborted.
            BackendError: It cannot be imported.
        """
        with suppress(BrokenPipeError):  # the process has ended; why is found out below
            self.send(json.dumps(request).encode() + b"\n" + content)
        line = self.stdout.readline()
        answer = json.loads(line) if line else {"failed": True}
        if "failed" in answer:
            raise WorkerError if line else self._cause_of_death()
        return cast("dict[str, Any]", answer)

    def send(self, content: bytes) -> None:
        """Send bytes."""
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[self.stdin.write(remaining) :]

    def stop(self) -> None:
        """End the process."""
        self.popen.kill()
        self.popen.wait()
        self.close()

    def close(self) -> None:
        """Close the pipes to the process."""
        self.stdin.close()
        self.stdout.close()

    def _cause_of_death(self) -> Exception:
        code = self.popen.wait()
        if code == -signal.SIGKILL:  # by the kernel, which ran out of memory
            return MemoryError()
        if code == _IMPORT_FAILED:
            return BackendError(
                f"{self.library} cannot be imported; expected it, because it reads the voxels of this file. "
                f"{self.advice}, or convert the scan to .nii.gz."
            )
        return WorkerError()


class IsolatedLibrary:
    """A library that is used in another process; arguments as for `WorkerProcess`."""

    def __init__(self, script: Path, library: str, advice: str = "Install rma-mamba again") -> None:
        self.script, self.library, self.advice = script, library, advice
        self.lock = threading.RLock()
        self.process: WorkerProcess | None = None
        _libraries.append(self)

    @contextmanager
    def session(self) -> Iterator[WorkerProcess]:
        """The process, for this thread alone during the block."""
        with self.lock:
            if self.process is None or not self.process.is_usable:
                self.stop()
                self.process = WorkerProcess(self.script, self.library, self.advice)
            try:
                yield self.process
            except (RmaMambaError, WorkerError):  # between two answers
                raise
            except BaseException:  # perhaps in the middle of one
                self.stop()
                raise

    def stop(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.stop()
            self.process = None

    def leave_to_parent(self) -> None:
        """In the child of a fork: the process and its pipes belong to the parent, and no thread holds the lock."""
        self.lock = threading.RLock()
        if self.process is not None:
            self.process.close()
            self.process.popen.returncode = 0  # so that nobody waits for it
            self.process = None


_libraries: list[IsolatedLibrary] = []


def _leave_all_to_parent() -> None:
    for library in _libraries:
        library.leave_to_parent()


@atexit.register
def _stop_all() -> None:
    for library in _libraries:
        library.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
