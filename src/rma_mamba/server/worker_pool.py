"""Workers for short tasks: to read scans, and to save, examine and export masks. Idle ones end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rma_mamba.errors import ScanError
from rma_mamba.server.worker import Worker

_WORKERS = 2
_IDLE_S = 60.0
_LONGEST_S = 900.0  # for a task; a hanging reader would block the others


class WorkerPool:
    """A few workers that are started when needed.

    Args:
        verbose: Let them print to stderr.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._workers = [Worker(verbose=verbose) for _ in range(_WORKERS)]
        self._free = asyncio.Semaphore(_WORKERS)
        self._taken: set[int] = set()
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
            await worker.stop()

    async def run(self, task: str, **arguments: Any) -> Any:
        """Carry out a task as soon as a worker is free; see `Worker.run`.

        Raises:
            ScanError: It took longer than a quarter of an hour.
        """
        async with self._free:
            number = self._choose()
            self._taken.add(number)
            try:
                running = self._workers[number].run(task, **arguments)
                return await asyncio.wait_for(running, _LONGEST_S)
            except TimeoutError:  # the worker was ended
                raise ScanError(
                    "the scan or mask took too long; expected a few seconds. Export it again, or convert it to .nii.gz."
                ) from None
            finally:
                self._taken.discard(number)

    def _choose(self) -> int:
        """A free worker; one that runs already is ready sooner."""
        free = [number for number in range(len(self._workers)) if number not in self._taken]
        return min(free, key=lambda number: self._workers[number].pid is None)

    async def _end_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_S / 4)
            for worker in self._workers:
                if not worker.is_busy and time.monotonic() - worker.used > _IDLE_S:
                    await worker.stop()
