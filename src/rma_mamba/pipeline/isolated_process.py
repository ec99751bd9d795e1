"""Run tasks in a process of its own, which keeps the network in memory: a crash ends one task, not the service.

The viewer, the node and the watched folder all work this way; `isolated_process_main` is the other process.
"""

from __future__ import annotations

import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Literal, TypeVar, cast

from rma_mamba.errors import ConfigError, ScanError

T = TypeVar("T")
Cause = Literal["out of memory", "the process ended", "the process was stopped"]
Progress = Callable[..., None]  # takes whatever the task reports

_GRACE_S = 3.0  # after which a task that does not notice its cancellation is killed
_SILENCE_S = 900.0  # after which a task hangs: even a large scan is read sooner
_MAIN = "from rma_mamba.pipeline.isolated_process_main import main; main()"
_MESSAGES: dict[Cause, str] = {
    "out of memory": "the job was killed, probably because memory ran out; expected enough memory for the scan. "
    "Close other programs, or use a machine with more memory.",
    "the process ended": "the process that worked on the scan ended unexpectedly; expected an intact scan. "
    "Export the scan again, or convert it to .nii.gz.",
    "the process was stopped": "the process that worked on the scan was stopped; expected it to finish. Try again.",
}
_HANGS = (
    "the scan or mask took too long; expected a sign of progress at least every quarter of an hour. "
    "Export it again, or convert it to .nii.gz."
)


class ProcessDiedError(ScanError):
    """The process ended in the middle of a task, or had not enough memory for it; the next task has a new process."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(_MESSAGES[cause])
        self.cause = cause


class DiskFullError(ConfigError):
    """The task could not write its results; it can be tried again when there is space."""


class TaskCancelledError(Exception):
    """The task was cancelled."""


class IsolatedProcess:
    """A process that runs one task at a time, and is replaced after a crash.

    Tasks are functions of a module, with arguments and results that can be pickled. The process ends when this one
    does, even if this one is killed, so that no task of an earlier service writes into the folders of a new one. What
    libraries print there is discarded: it may contain paths.

    Args:
        verbose: Let the process print to stderr.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._turn = threading.Lock()
        self._mutex = threading.Lock()
        self._child: _Child | None = None
        self._call: _Call | None = None
        self._used = time.monotonic()

    @property
    def pid(self) -> int | None:
        """Number of the process; None if it does not run."""
        child = self._child
        return child.popen.pid if child is not None and child.is_alive else None

    @property
    def idle_s(self) -> float:
        """Seconds since the last task ended; 0 while one is running."""
        return 0.0 if self._turn.locked() else time.monotonic() - self._used

    def call(
        self,
        task: Callable[..., T],
        *arguments: Any,
        progress: Progress = lambda *_: None,
        silence_s: float = _SILENCE_S,
    ) -> T:
        """The result of `task(*arguments, progress)` in the other process.

        Args:
            task: The function.
            arguments: All its arguments except the last.
            progress: Called with whatever the task reports.
            silence_s: A task that reports nothing for so long is ended.

        Raises:
            RmaMambaError: The error that the task raised, or one with the message for any other error.
            ScanError: The task hangs.
            DiskFullError: The task had no space for its results.
            ProcessDiedError: The process ended before the task did, or memory ran out.
            TaskCancelledError: The task was cancelled.
        """
        with self._turn:
            call = self._call = _Call()
            try:
                kind, content = self._outcome(call, (task, arguments), progress, silence_s)
            except BaseException:  # the process may be in the middle of the task
                self.stop()
                raise
            finally:
                self._call, self._used = None, time.monotonic()
                call.ended.set()
        if kind == "out of memory":
            raise ProcessDiedError("out of memory")
        if kind == "error":
            raise content
        return cast("T", content)

    def cancel(self) -> None:
        """Cancel the running task, if there is one: it ends at its next report, or is killed after three seconds."""
        with self._mutex:
            call, child = self._call, self._child
            if call is None:
                return
            call.is_cancelled = True
            if child is not None:
                child.send((call.number, None))
        if not call.ended.wait(_GRACE_S):
            self.stop()

    def stop(self) -> None:
        """End the process; a task that it is running raises `ProcessDiedError` in its caller."""
        with self._mutex:
            child, self._child = self._child, None
            if child is not None:
                child.end()

    def _outcome(
        self, call: _Call, request: tuple[Any, ...], progress: Progress, silence_s: float
    ) -> tuple[str, Any]:
        """How the task ended: "result", "error" or "out of memory", and which."""
        child = self._begin(call, pickle.dumps(request))
        while True:
            try:
                answer = child.answers.get(timeout=silence_s)
            except queue.Empty:
                raise ScanError(_HANGS) from None
            if answer is None:
                raise TaskCancelledError if call.is_cancelled else ProcessDiedError(child.cause)
            kind, content = answer
            if kind != "progress":
                return kind, content
            progress(*content)

    def _begin(self, call: _Call, request: bytes) -> _Child:
        """Start the process if need be, and let it begin."""
        with self._mutex:
            child = self._child
            if child is None or not child.is_alive:
                if child is not None:
                    child.end()
                child = self._child = _Child(verbose=self._verbose)
            child.send((call.number, request))
            if call.is_cancelled:  # before there was a process
                child.send((call.number, None))
            return child


class _Call:
    """A task that was begun."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        self.number = next(self._numbers)
        self.is_cancelled = False
        self.ended = threading.Event()


class _Child:
    """The other process, and what it has answered: pairs, and None when it has ended."""

    def __init__(self, *, verbose: bool) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if verbose else subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for the service, which ends this process
        )
        self.answers: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._is_stopped = False
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def is_alive(self) -> bool:
        return not self._is_stopped and self.popen.poll() is None

    @property
    def cause(self) -> Cause:
        """Why it has ended."""
        if self._is_stopped:
            return "the process was stopped"
        with suppress(subprocess.TimeoutExpired):  # it hangs on its way out
            if (
                self.popen.wait(_GRACE_S) == -signal.SIGKILL
            ):  # by the kernel, which ran out of memory
                return "out of memory"
        return "the process ended"

    def send(self, message: tuple[int, bytes | None]) -> None:
        """Send a message; one to a process that has ended is lost, as its answer will be."""
        stdin = cast("IO[bytes]", self.popen.stdin)
        with suppress(OSError, ValueError):
            pickle.dump(message, stdin)
            stdin.flush()

    def end(self) -> None:
        """Kill it, and the processes that it has started."""
        self._is_stopped = True
        if self.popen.poll() is None:
            with suppress(ProcessLookupError):
                if hasattr(os, "killpg"):  # not on Windows
                    os.killpg(self.popen.pid, signal.SIGKILL)
                else:
                    self.popen.kill()
        self.popen.wait()
        with suppress(OSError):  # what was not sent is lost
            cast("IO[bytes]", self.popen.stdin).close()

    def _read(self) -> None:
        with cast("IO[bytes]", self.popen.stdout) as stdout:
            try:
                while True:
                    self.answers.put(pickle.load(stdout))
            except Exception:  # the end, or half an answer
                self.answers.put(None)
