"""Run tasks in a process of its own, which keeps the network in memory: a crash ends one task, not the service."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.exit_codes import ExitCode, error_message
from rma_mamba.pipeline.messages import Progress, ignore_progress
from rma_mamba.pipeline.request import NetworkOptions

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter

P = ParamSpec("P")
T = TypeVar("T")

_STOP_SECONDS = 5.0


class ProcessDiedError(Exception):
    """The process ended in the middle of a task: it crashed, ran out of memory, or was stopped."""


class IsolatedProcess:
    """A process that runs one task at a time, and is replaced after a crash.

    Tasks are functions of a module, with arguments and results that can be pickled. The process ends when this one
    does, even if this one is killed, so that no task of an earlier service writes into the folders of a new one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def call(
        self,
        task: Callable[..., T],
        *arguments: Any,
        progress: Progress = ignore_progress,
    ) -> T:
        """The result of `task(*arguments, progress)` in the other process.

        Args:
            task: The function.
            arguments: All its arguments except the last.
            progress: Called with (slices done, slices in total).

        Raises:
            RmaMambaError: The error that the task raised, or one with the message for any other error.
            MemoryError: The task ran out of memory.
            ProcessDiedError: The process ended before the task did.
        """
        with self._lock:
            connection = self._start()
            try:
                connection.send((task, arguments))
                while True:
                    kind, content = connection.recv()
                    if kind != "progress":
                        break
                    progress(*content)
            except (EOFError, OSError):
                self._discard()
                raise ProcessDiedError from None
        if kind == "error":
            raise content
        return cast("T", content)

    def stop(self) -> None:
        """End the process; a task that it is running raises `ProcessDiedError` in its caller."""
        process = self._process
        if process is not None and process.is_alive():
            process.kill()
            process.join(_STOP_SECONDS)

    def _start(self) -> Connection:
        if self._connection is not None and self._process is not None and self._process.is_alive():
            return self._connection
        self._discard()
        # a fork would copy the threads' locks of a service
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        return ours

    def _discard(self) -> None:
        self.stop()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


_segmenters: dict[NetworkOptions, Segmenter] = {}


def cached_segmenter(network: NetworkOptions) -> Segmenter:
    """The network of a request, kept in the memory of this process; another network replaces it.

    Raises:
        WeightsError, BackendError: The network cannot be loaded.
    """
    if network not in _segmenters:
        _segmenters.clear()
        _segmenters[network] = network.load()
    return _segmenters[network]


def _serve(connection: Connection) -> None:
    """Run tasks until the other end of the connection is closed."""
    from rma_mamba.process import tune_process

    _end_with_parent()
    tune_process()
    while True:
        try:
            task, arguments = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(_outcome(task, arguments, connection))


def _outcome(task: Callable[..., Any], arguments: tuple[Any, ...], connection: Connection) -> Any:
    def progress(done: int, total: int) -> None:
        connection.send(("progress", (done, total)))

    try:
        return "result", task(*arguments, progress)
    except MemoryError:
        return "error", MemoryError()
    except RmaMambaError as error:
        return "error", type(error)(str(error))
    except Exception as error:  # its text, its type or its traceback may not be picklable
        return "error", RmaMambaError(error_message(error))


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, in the middle of a task if need be."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(ExitCode.INTERNAL_ERROR)

    threading.Thread(target=wait, daemon=True).start()
    with contextlib.suppress(OSError, ValueError):
        os.setpgid(0, 0)  # Ctrl-C reaches the service, which ends this process when it is ready
