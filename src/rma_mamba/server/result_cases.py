"""Results of earlier runs and of other tools as cases: found when the server starts, adopted one after the other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.exit_codes import error_message
from rma_mamba.pipeline.review.case_status import EXAMINED_FILE
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersions
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.case_registry import CaseRegistry
from rma_mamba.server.worker_pool import WorkerPool


class ResultCases:
    """Finds results, and makes their masks versions.

    Args:
        registry: Receives the cases.
        workers: Read the files.
    """

    def __init__(self, registry: CaseRegistry, workers: WorkerPool) -> None:
        self.registry, self.workers = registry, workers
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, roots: list[Path], scans: Path | None) -> None:
        """Add the results in folders, and forget those that are gone; then adopt and examine them."""
        try:
            found = await self.workers.run(
                "list_results",
                results=list(map(str, roots)),
                scans=None if scans is None else str(scans),
            )
        except RmaMambaError:  # shown when the folder is opened
            return
        for each in found:
            case, _ = self.registry.add(
                each["name"], Path(each["folder"]), each["scan"], each["volume"], mask=each["mask"]
            )
            if case.status not in ("queued", "running"):
                self.registry.update(case, "done")
        self.registry.forget_missing()
        await self.examine(list(self.registry.cases.values()))

    async def examine(self, cases: Iterable[CaseRecord]) -> None:
        """Volumes and thumbnails for the work list, one case at a time."""
        for case in cases:
            if case.status == "done" and case.scan is not None:
                await self.adopt(case, again=case.mask != str(Path(case.folder) / MASK_FILE))
                await self._examine_newest(case)

    async def adopt(self, case: CaseRecord, *, again: bool = False) -> None:
        """Make the mask of a result a version; a case whose mask cannot be read has failed, with the reason.

        Args:
            case: The case.
            again: Also if there is a version: the file may have changed since.
        """
        if case.mask is None or case.scan is None or case.status != "done":
            return
        async with self._locks[case.id]:
            if self.registry.status(case).versions and not again:
                return
            try:
                await self.workers.run("adopt", case=asdict(case))
            except RmaMambaError as error:
                self.registry.update(case, "failed", error_message(error))
            else:
                self.registry.refresh(case)

    async def _examine_newest(self, case: CaseRecord) -> None:
        newest = self.registry.status(case).versions[-1:]
        if not newest or case.status != "done":
            return
        folder = MaskVersions(Path(case.folder)).path(newest[0].version)
        if not (folder / EXAMINED_FILE).is_file():
            with suppress(RmaMambaError):  # shown when the case is opened
                await self.workers.run("examine_result", case=asdict(case))
            self.registry.refresh(case)
