"""Tasks of the server in worker processes: a few processes for short tasks, of which idle ones end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from rma_mamba.pipeline.isolated_process import IsolatedProcess, Progress

_WORKERS = 2
_IDLE_S = 60.0


async def run_task(
    process: IsolatedProcess,
    task: str,
    on_progress: Callable[..., None] = lambda *_: None,
    **arguments: Any,
) -> Any:
    """Carry out a task in a process, and return its result; the process is ended if this is cancelled.

    Args:
        process: The process.
        task: Name of the task, a key of `worker_tasks.TASKS`.
        on_progress: Called with what the task reports, in the event loop.
        arguments: Arguments of the task.

    Raises:
        RmaMambaError, TaskCancelledError: As `IsolatedProcess.call`.
    """
    loop = asyncio.get_running_loop()

    def progress(*report: Any) -> None:
        loop.call_soon_threadsafe(on_progress, *report)

    running = asyncio.create_task(
        asyncio.to_thread(process.call, carry_out, task, arguments, progress=progress)
    )
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():  # the process may not have been started yet
            process.stop()
            await asyncio.wait([running], timeout=0.02)
        running.exception()
        raise


def carry_out(task: str, arguments: dict[str, Any], report: Progress) -> Any:
    """Carry out a task; the libraries that tasks need are not imported by the server itself."""
    from rma_mamba.server.worker_tasks import TASKS

    return TASKS[task](report, **arguments)


class WorkerPool:
    """A few workers that are started when needed.

    Args:
        verbose: Let them print to stderr.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._workers = [IsolatedProcess(verbose=verbose) for _ in range(_WORKERS)]
        self._free = asyncio.Semaphore(_WORKERS)
        self._idle = list(self._workers)
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to end idle workers."""
        self._watch = asyncio.create_task(self._end_idle())

    async def stop(self) -> None:
        """End all workers."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for worker in self._workers:
            worker.stop()

    async def run(self, task: str, **arguments: Any) -> Any:
        """Carry out a task as soon as a worker is free; see `run_task`."""
        async with self._free:
            self._idle.sort(key=lambda each: each.pid is None)  # one that runs is ready sooner
            worker = self._idle.pop(0)
            try:
                return await run_task(worker, task, **arguments)
            finally:
                self._idle.append(worker)

    async def _end_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_S / 4)
            for worker in self._idle:
                if worker.idle_s > _IDLE_S:
                    worker.stop()
