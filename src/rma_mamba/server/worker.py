"""Worker processes of the server: each carries out one task at a time, and is replaced if it ends unexpectedly."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rma_mamba import errors
from rma_mamba.errors import RmaMambaError, ScanError

_LINE_BYTES = 2**26
_GRACE_S = 3.0  # after which a task that does not notice its cancellation is killed
_MODULE = "rma_mamba.server.worker_process_main"

OnEvent = Callable[[dict[str, Any]], None]


class TaskCancelledError(Exception):
    """The task was cancelled."""


class Worker:
    """A worker process, started when it is needed.

    Args:
        verbose: Let the process print to stderr, where libraries may print paths.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._cancelled = False
        self.used = time.monotonic()

    @property
    def is_busy(self) -> bool:
        """Whether a task is running or waiting."""
        return self._turn.locked()

    @property
    def pid(self) -> int | None:
        """Number of the process; None if it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self, task: str, on_event: OnEvent | None = None, **arguments: Any) -> Any:
        """Carry out a task, and return its result.

        Args:
            task: Name of the task, a key of `worker_tasks.TASKS`.
            on_event: Receives its progress.
            arguments: Arguments of the task, which can be written as JSON.

        Raises:
            RmaMambaError: As raised by the task; or the process ended unexpectedly.
            TaskCancelledError: The task was cancelled.
        """
        async with self._turn:
            self._cancelled = False
            self.used = time.monotonic()
            process = await self._start()
            try:
                return await self._ask(process, {"task": task, "arguments": arguments}, on_event)
            except asyncio.CancelledError:
                await self.stop()
                raise
            finally:
                self._cancelled = False
                self.used = time.monotonic()

    async def cancel(self) -> None:
        """Cancel the running task, if there is one: it ends itself within three seconds, or is killed."""
        process = self._process
        if process is None or not self.is_busy:
            return
        self._cancelled = True
        with suppress(ConnectionError):
            self._write(process, {"cancel": True})
        for _ in range(int(_GRACE_S / 0.05)):
            if not self._cancelled or not self.is_busy or process.returncode is not None:
                return
            await asyncio.sleep(0.05)
        if self._cancelled and process.returncode is None:
            process.kill()

    async def stop(self) -> None:
        """End the process; the next task starts another one."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    @property
    def _is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _start(self) -> Process:
        if self._process is None or not self._is_running:
            starting = asyncio.ensure_future(self._new_process())
            try:
                self._process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                await _end(await starting)
                raise
        return self._process

    async def _new_process(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _MODULE),
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if self._verbose else DEVNULL,
            limit=_LINE_BYTES,
            start_new_session=True,  # Ctrl-C in a terminal is for the server, which ends its workers
        )

    async def _ask(
        self, process: Process, request: dict[str, Any], on_event: OnEvent | None
    ) -> Any:
        with suppress(ConnectionError):  # the process has ended; why is found out below
            self._write(process, request)
            if process.stdin is not None:
                await process.stdin.drain()
        while True:
            line = await process.stdout.readline() if process.stdout is not None else b""
            if not line:
                raise await self._cause_of_death(process)
            answer = json.loads(line)
            if "done" in answer:
                return answer["done"]
            if "cancelled" in answer:
                raise TaskCancelledError
            if "failed" in answer:
                raise _as_error(**answer["failed"])
            if on_event is not None:
                on_event(answer)

    def _write(self, process: Process, message: dict[str, Any]) -> None:
        if process.stdin is not None:
            process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _cause_of_death(self, process: Process) -> Exception:
        code = await process.wait()
        if self._cancelled:
            return TaskCancelledError()
        if code == -signal.SIGKILL:  # by the kernel, which ran out of memory
            return ScanError(
                "the job was killed, probably because memory ran out; expected enough memory for the scan. "
                "Close other programs, or use a machine with more memory."
            )
        return ScanError(
            "the process that worked on the scan ended unexpectedly; expected an intact scan. "
            "Export the scan again, or convert it to .nii.gz."
        )


async def _end(process: Process) -> None:
    """Kill a process, and close the pipes to it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.stdin is not None:
        process.stdin.close()
    if process.stdout is not None:
        await process.stdout.read()


def _as_error(kind: str, message: str) -> RmaMambaError:
    found = getattr(errors, kind, RmaMambaError)
    return found(message) if issubclass(found, RmaMambaError) else RmaMambaError(message)
