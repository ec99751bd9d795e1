"""The state of the server: cases, their jobs, and the workers that carry them out."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import secrets
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError, RmaMambaError, ScanError
from rma_mamba.pipeline.review.case_status import CaseStatus, case_status, examination, read_json
from rma_mamba.pipeline.review.displayed_scan import DESCRIPTION_FILE
from rma_mamba.server.case_index import CaseIndex, CaseRecord, JobStatus
from rma_mamba.server.progress_events import CaseProgress, EventHub, Stage
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.served_folder import ServedFolder
from rma_mamba.server.worker import TaskCancelledError, Worker

STATE_FOLDER = ".rma-mamba"  # hidden, so that no search for scans enters it
RESULTS_FOLDER = "rma-mamba-results"

_LIGHTS = ("red", "yellow", "green", None)


class Desk:
    """Everything the routes work on."""

    def __init__(self, options: ServeOptions) -> None:
        self.options = options
        self.results = _results_folder(options)
        self.folder = ServedFolder(options.folder, self.results)
        self.state = _private_folder(self.results / STATE_FOLDER)
        self._lock = _lock(self.state / "lock")
        self._key = _key(self.state / "key")
        self.index = CaseIndex(self.state / "index.sqlite")
        self.cases = {each.id: each for each in self.index.records()}
        self.hub = EventHub()
        self.progress: dict[str, CaseProgress] = {}
        self.segmenting = Worker(verbose=options.verbose)
        self.reading = Worker(verbose=options.verbose)
        self.jobs: asyncio.Queue[str] = asyncio.Queue()
        self.weights_sha256: str | None = None
        self._statuses: dict[str, CaseStatus] = {}
        self._running: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Continue what an earlier server has left undone, and load the network."""
        for case in self.cases.values():
            if case.status in ("queued", "running"):
                self._queue(case)
        self._tasks = [
            asyncio.create_task(self._work()),
            asyncio.create_task(self._warm_up()),
        ]

    async def stop(self) -> None:
        """End the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.segmenting.stop()
        await self.reading.stop()
        self.index.close()
        os.close(self._lock)

    def find(self, case: str) -> CaseRecord:
        """A case by its identifier.

        Raises:
            KeyError: There is none.
        """
        return self.cases[case]

    def status(self, case: CaseRecord, *, fresh: bool = False) -> CaseStatus:
        """The state of a case as its files have it."""
        if fresh or case.id not in self._statuses:
            self._statuses[case.id] = case_status(Path(case.folder))
        return self._statuses[case.id]

    def shown(self, case: CaseRecord) -> Path:
        """Folder of the scan in the form that the viewer shows."""
        return _private_folder(self.state / "shown" / case.id)

    @property
    def weights_name(self) -> str:
        """Name of the network, without a path, which may contain a person's name."""
        return Path(self.options.network.model).name

    async def describe_scan(self, case: CaseRecord) -> dict[str, Any] | None:
        """Grid and display windows of a scan, which is written for the viewer if need be; None if there is no scan."""
        known = read_json(self.shown(case) / DESCRIPTION_FILE)
        if known:
            return known
        if case.scan is None:
            return None
        found: dict[str, Any] = await self.reading.run(
            "show_scan", case=asdict(case), shown=str(self.shown(case))
        )
        return found

    async def details(self, case: CaseRecord) -> dict[str, Any]:
        """The row of a case, and its measurements, flags and versions."""
        status = self.status(case)
        examined = examination(Path(case.folder), status.versions[-1]) if status.versions else {}
        shown = await self.describe_scan(case) if case.status != "queued" else None
        return {
            **self.row(case),
            "measurements": [
                {"name": name, "label": name, "value": value, "unit": ""}
                for name, value in (examined.get("measurements") or {}).items()
            ],
            "flags": [
                {
                    "name": flag["code"],
                    "light": flag["severity"],
                    "words": flag["message"],
                    "place": None,
                }
                for flag in (examined.get("quality") or {}).get("flags", [])
            ],
            "warnings": examined.get("warnings", []),
            "versions": [asdict(each) for each in status.versions],
            "scan": shown,
            "has_scan": case.scan is not None,
            "is_dicom": bool(shown and shown["is_dicom"]),
            "has_uncertainty": (Path(case.folder) / "uncertainty.nii.gz").is_file(),
            "drafts": [],
            "exports": [],
        }

    async def open(self, path: Path) -> list[CaseRecord]:
        """Add the scans in a path, and segment those without results."""
        found = await self.reading.run("list_cases", path=str(path), results=str(self.results))
        prefix = _prefix(path, self.folder.root or path, found)
        return [await self._add(each, prefix + each["name"], self.results) for each in found]

    async def _add(self, found: dict[str, Any], name: str, results: Path) -> CaseRecord:
        identifier = self._identify(f"{results}\0{name}")
        known = self.cases.get(identifier)
        if known is not None:
            return known
        number = 1 + max((each.number for each in self.cases.values()), default=0)
        case = CaseRecord(
            identifier, number, name, str(results / name), found["scan"], found["volume"]
        )
        self.cases[case.id] = case
        if (Path(case.folder) / "liver.nii.gz").is_file():
            await self.reading.run("adopt_result", folder=case.folder)
            self.update(case, "done")
        else:
            self._queue(case)
        return case

    def update(self, case: CaseRecord, status: JobStatus, error: str | None = None) -> None:
        """Change the state of the job of a case."""
        case.status, case.error = status, error
        self.index.save(case)
        self.status(case, fresh=True)
        self.hub.send("cases", "case", self.row(case))

    def advance(
        self, case: CaseRecord, stage: Stage, slice_: int = 0, slices: int = 0, detail: str = ""
    ) -> None:
        """Report how far a case is."""
        progress = CaseProgress(stage, slice_, slices, detail)
        self.progress[case.id] = progress
        self.hub.send(case.id, "progress", progress.as_json())

    def row(self, case: CaseRecord) -> dict[str, Any]:
        """The row of a case in the work list."""
        status = self.status(case)
        newest = status.versions[-1].version if status.versions else None
        return {
            "id": case.id,
            "number": case.number,
            "name": case.name,
            "modality": status.modality,
            "status": case.status,
            "error": case.error,
            "light": status.light,
            "predicted_dice": status.estimated_dice,
            "volume_ml": status.volume_ml,
            "review": asdict(status.decision),
            "thumbnail": f"/api/cases/{case.id}/thumbnail.png" if newest else None,
            "version": newest,
            "etag": status.etag,
        }

    def rows(self) -> list[dict[str, Any]]:
        """All cases, the worst first: failed, then by light and estimated Dice."""
        return sorted(map(self.row, self.cases.values()), key=_badness)

    def _queue(self, case: CaseRecord) -> None:
        self.update(case, "queued")
        self.advance(case, "queued")
        self.jobs.put_nowait(case.id)

    async def _warm_up(self) -> None:
        with suppress(RmaMambaError, TaskCancelledError):  # the first job reports it
            network = asdict(self.options.network)
            found = await self.segmenting.run("warm_up", network=network)
            self.weights_sha256 = found["weights_sha256"]

    async def _work(self) -> None:
        while True:
            case = self.cases.get(await self.jobs.get())
            if case is None or case.status != "queued":
                continue
            self._running = case.id
            try:
                await self._segment(case)
            finally:
                self._running = None

    async def _segment(self, case: CaseRecord) -> None:
        self.update(case, "running")

        def report(event: dict[str, Any]) -> None:
            self.advance(case, event["stage"], event["slice"], event["slices"])

        try:
            await self.segmenting.run(
                "segment",
                report,
                case=asdict(case),
                out=case.folder.removesuffix(case.name),
                shown=str(self.shown(case)),
                network=asdict(self.options.network),
            )
        except TaskCancelledError:
            self.update(case, "cancelled")
            self.advance(case, "cancelled")
        except RmaMambaError as error:
            self.update(case, "failed", str(error))
            self.advance(case, "failed", detail=str(error))
        else:
            self.update(case, "done")
            self.advance(case, "done")

    async def cancel(self, case: CaseRecord) -> None:
        """Cancel the job of a case."""
        if self._running == case.id:
            await self.segmenting.cancel()
        elif case.status == "queued":
            self.update(case, "cancelled")
            self.advance(case, "cancelled")

    def restart(self, case: CaseRecord) -> None:
        """Queue a case again that failed or was cancelled."""
        if case.status in ("failed", "cancelled"):
            self._queue(case)

    def _identify(self, text: str) -> str:
        return hashlib.blake2b(
            text.encode("utf-8", "surrogateescape"), key=self._key, digest_size=8
        ).hexdigest()


def _prefix(path: Path, root: Path, found: list[dict[str, Any]]) -> str:
    """What precedes the names of cases found in a path, so that they are those of a search in the served folder."""
    is_one_scan = path.is_file() or [each["scan"] for each in found] == [str(path)]
    above = path.parent if is_one_scan and path != root else path
    return "" if above == root else f"{above.relative_to(root)}/"


def _badness(row: dict[str, Any]) -> tuple[int, int, float, int]:
    dice = row["predicted_dice"]
    return (
        row["status"] != "failed",
        _LIGHTS.index(row["light"]),
        2.0 if dice is None else dice,
        row["number"],
    )


def _results_folder(options: ServeOptions) -> Path:
    if options.results is not None:
        return options.results.resolve()
    if options.folder is not None:
        return options.folder.resolve() / RESULTS_FOLDER
    home = os.environ.get("RMA_MAMBA_HOME")
    base = Path(home) if home else Path.home() / ".cache" / "rma-mamba"
    return base / "serve"


def _private_folder(path: Path) -> Path:
    """A folder that only this user can open."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder of the results cannot be written ({error.strerror}); expected a writable folder. "
            "Choose another one with --results."
        ) from error
    return path


def _lock(path: Path) -> int:
    """Lock a file until this process ends: two servers would not know of each other's changes."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(
            "another server uses this folder; expected one server for a folder of results. "
            "Open its page, or choose another folder with --results."
        ) from None
    return descriptor


def _key(path: Path) -> bytes:
    """The key of the identifiers of cases."""
    if not path.exists():
        temporary = path.with_name(f"key-{time.monotonic_ns()}")
        temporary.write_bytes(secrets.token_bytes(32))
        temporary.chmod(0o600)
        temporary.replace(path)
    key = path.read_bytes()
    if len(key) != 32:
        raise ScanError(
            "the key of the server is corrupt; expected 32 bytes. Delete the folder .rma-mamba in the results."
        )
    return key
