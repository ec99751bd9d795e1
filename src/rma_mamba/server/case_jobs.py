"""The queue of cases to segment, and the worker that keeps the network in memory."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from dataclasses import asdict
from typing import cast

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.exit_codes import error_message
from rma_mamba.pipeline.isolated_process import IsolatedProcess, TaskCancelledError
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.case_registry import CaseRegistry
from rma_mamba.server.progress_events import CaseProgress, EventHub, Stage
from rma_mamba.server.scan_cache import remove_oldest
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.worker_pool import run_task

_MOST_BYTES = (
    450 * 2**20
)  # of an idle worker; a scan leaves more behind, and the process is replaced
_IDLE_S = 20.0


class CaseJobs:
    """Segments one case after another.

    Args:
        options: Options of the server.
        registry: The cases.
        hub: Receives the progress, by case.
    """

    def __init__(self, options: ServeOptions, registry: CaseRegistry, hub: EventHub) -> None:
        self.options, self.registry, self.hub = options, registry, hub
        self.progress: dict[str, CaseProgress] = {}
        self.weights_sha256: str | None = None
        self._worker = IsolatedProcess(verbose=options.verbose)
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._running: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Load the network, and continue what an earlier server has left undone."""
        for case in self.registry.cases.values():
            if case.status in ("queued", "running"):
                self.add(case)
        self._tasks = [
            asyncio.create_task(self._work()),
            asyncio.create_task(self._replace_large_worker()),
        ]

    async def stop(self) -> None:
        """End the worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._worker.stop()

    def add(self, case: CaseRecord) -> None:
        """Queue a case."""
        self.registry.update(case, "queued")
        self._advance(case, "queued")
        self._waiting.put_nowait(case.id)

    async def cancel(self, case: CaseRecord) -> None:
        """Cancel the job of a case."""
        if self._running == case.id:
            await asyncio.to_thread(self._worker.cancel)
        elif case.status == "queued":
            self.registry.update(case, "cancelled")
            self._advance(case, "cancelled")

    def restart(self, case: CaseRecord) -> None:
        """Queue a case again that failed or was cancelled."""
        if case.status in ("failed", "cancelled") and case.scan is not None:
            case.mask = None  # it could not be read, and is replaced
            self.add(case)

    def progress_of(self, case: CaseRecord) -> CaseProgress:
        """How far a case is."""
        known = self.progress.get(case.id)
        if known is not None:
            return known
        stages: dict[str, Stage] = {"new": "queued", "running": "reading"}
        stage = stages.get(case.status) or cast("Stage", case.status)
        return CaseProgress(stage, detail=case.error or "")

    async def _work(self) -> None:
        if self.options.preload:
            await self._warm_up()
        while True:
            case = self.registry.cases.get(await self._waiting.get())
            if case is None or case.status != "queued":
                continue
            self._running = case.id
            try:
                await self._segment(case)
            except (OSError, sqlite3.Error):  # the disk is full; the case remains as it was
                pass
            finally:
                self._running = None
            with suppress(OSError, RmaMambaError):
                shown = self.registry.shown(case)
                await asyncio.to_thread(remove_oldest, shown.parent, keep=shown)

    async def _replace_large_worker(self) -> None:
        """Replace a worker that has kept much memory, once nothing was to be done for a while."""
        while True:
            await asyncio.sleep(_IDLE_S / 4)
            is_idle = self._worker.idle_s > _IDLE_S
            if is_idle and resident_bytes(self._worker.pid) > _MOST_BYTES:
                self._worker.stop()
                await self._warm_up()

    async def _warm_up(self) -> None:
        with suppress(RmaMambaError, TaskCancelledError):  # the first job reports it
            found = await run_task(self._worker, "warm_up", network=asdict(self.options.network))
            self.weights_sha256 = found["weights_sha256"]

    async def _segment(self, case: CaseRecord) -> None:
        self.registry.update(case, "running")

        def report(stage: Stage, done: int = 0, total: int = 0) -> None:
            self._advance(case, stage, done, total)

        try:
            await run_task(
                self._worker,
                "segment",
                report,
                case=asdict(case),
                out=case.folder.removesuffix(case.name),
                shown=str(self.registry.shown(case)),
                network=asdict(self.options.network),
            )
        except TaskCancelledError:
            self._finish(case, "cancelled")
        except Exception as error:  # whatever it is, the next job has to run
            self._finish(case, "failed", error_message(error))
        else:
            self._finish(case, "done")

    def _finish(self, case: CaseRecord, stage: Stage, error: str | None = None) -> None:
        if stage in ("done", "failed", "cancelled") and case.id in self.registry.cases:
            self.registry.update(case, stage, error)
            self._advance(case, stage, detail=error or "")

    def _advance(
        self, case: CaseRecord, stage: Stage, done: int = 0, total: int = 0, detail: str = ""
    ) -> None:
        progress = CaseProgress(stage, done, total, detail)
        self.progress[case.id] = progress
        self.hub.send(case.id, "progress", progress.as_json())


def resident_bytes(pid: int | None) -> int:
    """Memory of a process; 0 where the system does not tell."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096
    return 0
