"""The cases of the server: where they are, and what their files say."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError
from rma_mamba.files import lock_until_exit
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.review.case_status import CaseStatus, case_status
from rma_mamba.pipeline.review.displayed_scan import DESCRIPTION_FILE
from rma_mamba.pipeline.review.mask_versions import MaskVersion
from rma_mamba.pipeline.review.scan_reading import ScanReading
from rma_mamba.server.case_index import CaseIndex, CaseRecord, JobStatus
from rma_mamba.server.progress_events import EventHub

_LIGHTS = ("red", "yellow", "green", None)
_KEY_BYTES = 32


class CaseRegistry:
    """All cases by identifier, in memory and in the index.

    Args:
        state: The private folder of the server's own files.
        hub: Receives the rows that change, as topic "cases".

    Raises:
        ConfigError: Another server uses the folder, or it cannot be written.
    """

    def __init__(self, state: Path, hub: EventHub) -> None:
        self.state, self.hub = private_folder(state), hub
        self._lock = _lock(self.state / "lock")
        self._key = _key(self.state / "key")
        self._index = CaseIndex(self.state / "index.sqlite")
        self.cases = {each.id: each for each in self._index.records()}
        self._statuses: dict[str, CaseStatus] = {}

    def close(self) -> None:
        """Close the index, and let another server use the folder."""
        self._index.close()
        os.close(self._lock)

    def add(
        self,
        name: str,
        folder: Path,
        scan: str | None,
        volume: int | None,
        *,
        series: str | None = None,
        mask: str | None = None,
        upload: bool = False,
    ) -> tuple[CaseRecord, bool]:
        """The case of a folder of results, and whether it is new."""
        identifier = self._identify(str(folder))
        known = self.cases.get(identifier)
        if known is not None:
            known.scan = scan or (known.scan if known.scan and Path(known.scan).exists() else None)
            known.volume, known.series = volume or known.volume, series or known.series
            known.mask = mask or known.mask
            return known, False
        number = 1 + max((each.number for each in self.cases.values()), default=0)
        case = CaseRecord(identifier, number, name, str(folder), scan, volume, series, mask, upload)
        self.cases[case.id] = case
        return case, True

    def remove(self, case: CaseRecord) -> None:
        """Forget a case."""
        self.cases.pop(case.id, None)
        self._statuses.pop(case.id, None)
        self._index.remove(case.id)
        for shown in (self.state / "shown").glob(f"{case.id}*"):
            shutil.rmtree(shown, ignore_errors=True)
        self.hub.send("cases", "removed", {"id": case.id})

    def forget_elsewhere(self, roots: list[Path]) -> None:
        """Remove cases that lie below none of some folders: the index was copied together with the results."""
        for case in list(self.cases.values()):
            if not any(Path(case.folder).is_relative_to(root) for root in roots):
                self.remove(case)

    def forget_missing(self) -> None:
        """Remove cases whose results were deleted."""
        for case in list(self.cases.values()):
            places = [case.folder, *filter(None, [case.mask])]
            if case.status == "done" and not any(Path(each).exists() for each in places):
                self.remove(case)

    def update(self, case: CaseRecord, status: JobStatus, error: str | None = None) -> None:
        """Change the state of the job of a case."""
        case.status, case.error = status, error
        self._index.save(case)
        self.refresh(case)

    def refresh(self, case: CaseRecord) -> None:
        """Read the files of a case again, and tell the open pages."""
        self.status(case, fresh=True)
        self.hub.send("cases", "case", self.row(case))

    def status(self, case: CaseRecord, *, fresh: bool = False) -> CaseStatus:
        """The state of a case as its files have it."""
        if fresh or case.id not in self._statuses:
            self._statuses[case.id] = case_status(Path(case.folder))
        return self._statuses[case.id]

    def shown(self, case: CaseRecord, version: MaskVersion | None = None) -> Path:
        """Private folder of the scan in the form that the viewer shows.

        Args:
            case: The case.
            version: A version of its mask, which may have been made on another series or volume; None: the last run.
        """
        folder = private_folder(self.state / "shown" / case.id)
        recorded = version.scan if version else None
        if recorded in (None, ScanReading()):
            return folder
        shown = read_json(folder / DESCRIPTION_FILE).get("voxels_sha256")
        if shown is not None and shown == recorded.voxels_sha256:
            return folder
        return private_folder(folder.with_name(f"{case.id}-{recorded.key}"))

    def row(self, case: CaseRecord) -> dict[str, Any]:
        """The row of a case in the work list."""
        status = self.status(case)
        newest = status.versions[-1].version if status.versions else None
        thumbnail = f"/api/cases/{case.id}/thumbnail.png?version={newest}"
        return {
            "id": case.id,
            "number": case.number,
            "name": case.name,
            "modality": status.modality,
            "status": case.status,
            "error": case.error,
            "has_scan": case.scan is not None,
            "light": status.light,
            "predicted_dice": status.estimated_dice,
            "volume_ml": status.volume_ml,
            "review": asdict(status.decision),
            "thumbnail": thumbnail if newest else None,
            "version": newest,
            "etag": status.etag,
        }

    def rows(self) -> list[dict[str, Any]]:
        """All cases, the worst first: failed, then by light and estimated Dice."""
        return sorted(map(self.row, self.cases.values()), key=_badness)

    def _identify(self, text: str) -> str:
        """An identifier that does not reveal the name of a case, and is the same after a restart."""
        encoded = text.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(encoded, key=self._key, digest_size=8).hexdigest()


def private_folder(path: Path) -> Path:
    """A folder that only this user can open; created if it is missing.

    Raises:
        ConfigError: It cannot be created.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder of the results cannot be written ({error.strerror}); expected a writable folder. "
            "Choose another one with --results."
        ) from error
    return path


def _badness(row: dict[str, Any]) -> tuple[bool, int, float, int]:
    dice = row["predicted_dice"]
    light = _LIGHTS.index(row["light"] if row["light"] in _LIGHTS else None)
    return row["status"] != "failed", light, 2.0 if dice is None else dice, row["number"]


def _lock(path: Path) -> int:
    """Lock a file until this process ends: two servers would not know of each other's changes."""
    try:
        return lock_until_exit(path)
    except BlockingIOError:
        raise ConfigError(
            "another server uses this folder; expected one server for a folder of results. "
            "Open its page, or choose another folder with --results."
        ) from None


def _key(path: Path) -> bytes:
    """The key of the identifiers of cases; a corrupt one is replaced, and the identifiers change."""
    if not path.exists() or path.stat().st_size != _KEY_BYTES:
        temporary = path.with_name(f"key-{time.monotonic_ns()}")
        temporary.touch(mode=0o600)
        temporary.write_bytes(secrets.token_bytes(_KEY_BYTES))
        temporary.replace(path)
    return path.read_bytes()
