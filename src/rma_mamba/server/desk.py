"""Everything the routes work on: the cases, their jobs, and a worker for scans and masks."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rma_mamba.environment import user_folder
from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.review.case_status import UNCERTAINTY_FILE, examination, is_of_last_run
from rma_mamba.pipeline.review.displayed_scan import DESCRIPTION_FILE, SCAN_FILE
from rma_mamba.pipeline.review.drafts import Drafts
from rma_mamba.pipeline.review.export_types import possible_exports
from rma_mamba.pipeline.review.folder_names import RESULTS_FOLDER, STATE_FOLDER
from rma_mamba.pipeline.review.mask_labels import mask_labels
from rma_mamba.pipeline.review.mask_versions import MaskVersion, MaskVersions, version_record
from rma_mamba.pipeline.review.result_folders import result_in
from rma_mamba.reporting.report import label_and_unit
from rma_mamba.server.case_index import CaseRecord
from rma_mamba.server.case_jobs import CaseJobs
from rma_mamba.server.case_registry import CaseRegistry, private_folder
from rma_mamba.server.progress_events import EventHub
from rma_mamba.server.result_cases import ResultCases
from rma_mamba.server.scan_cache import remove_oldest
from rma_mamba.server.serve_options import ServeOptions
from rma_mamba.server.served_folder import ServedFolder
from rma_mamba.server.worker_pool import WorkerPool


class Desk:
    """The state of the server.

    Args:
        options: What is served.

    Raises:
        ConfigError: The folder of the results cannot be used.
    """

    def __init__(self, options: ServeOptions) -> None:
        _check_folder(options.folder)
        self.options = options
        self.results = _results_folder(options)
        self.folder = ServedFolder(options.folder, self.results)
        self.hub = EventHub()
        self.registry = CaseRegistry(self.results / STATE_FOLDER, self.hub)
        self.registry.forget_elsewhere([self.results, *filter(None, [self.folder.root])])
        self.jobs = CaseJobs(options, self.registry, self.hub)
        self.workers = WorkerPool(verbose=options.verbose)
        self.result_cases = ResultCases(self.registry, self.workers)
        self.series_counts: dict[str, int] = {}  # by scan, as far as they are known
        self.incoming = private_folder(self.registry.state / "incoming")

    async def start(self) -> None:
        """Remove what a killed server has left, and start the jobs."""
        shutil.rmtree(self.incoming, ignore_errors=True)
        private_folder(self.incoming)
        self.jobs.start()
        self.workers.start()
        self._search = asyncio.create_task(self._find_results())

    async def stop(self) -> None:
        """End the workers."""
        self._search.cancel()
        await asyncio.gather(self._search, return_exceptions=True)
        await self.jobs.stop()
        await self.workers.stop()
        self.registry.close()

    async def _find_results(self) -> None:
        scans = self.folder.root
        roots = [self.results] if scans in (None, self.results) else [self.results, scans]
        await self.result_cases.find(roots, scans)

    @property
    def weights_name(self) -> str:
        """Name of the network, without a path, which may contain a person's name."""
        return Path(self.options.network.model).name

    async def open(self, path: Path) -> tuple[list[CaseRecord], list[str]]:
        """Add the scans in a path, and segment those without results; returns them, and warnings."""
        listed = await self.workers.run("list_cases", path=str(path), results=str(self.results))
        found = listed["cases"]
        self.count_series(listed)
        prefix = _prefix(path, self.folder.root or path, found)
        cases = [await self.add_case(each, prefix + each["name"], self.results) for each in found]
        return cases, listed["warnings"]

    def count_series(self, listed: dict[str, Any]) -> None:
        """Remember how many series a study has."""
        if listed["series"] and listed["cases"]:
            self.series_counts[listed["cases"][0]["scan"]] = listed["series"]

    async def add_case(
        self, found: dict[str, Any], name: str, results: Path, *, upload: bool = False
    ) -> CaseRecord:
        """Add a scan that was found, and segment it unless there are results."""
        result = await asyncio.to_thread(result_in, results / name, name)
        case, is_new = self.registry.add(
            name,
            results / name,
            found["scan"],
            found["volume"],
            series=found.get("series"),
            mask=str(result.mask) if result else None,
            upload=upload,
        )
        if is_new and result is not None:
            self.registry.update(case, "done")
            await self.result_cases.adopt(case)
        elif is_new:
            self.jobs.add(case)
        return case

    async def describe_scan(
        self, case: CaseRecord, version: MaskVersion | None = None
    ) -> dict[str, Any] | None:
        """Grid and display windows of a scan, which is written for the viewer if need be; None if there is no scan.

        Args:
            case: The case.
            version: The version on whose scan it was made; None: the newest one.
        """
        version = version or self._newest(case)
        known = self._known_description(case, version)
        if known is not None or case.scan is None:
            return known
        shown = self.registry.shown(case, version)
        found: dict[str, Any] = await self.workers.run(
            "show_scan",
            case=asdict(case),
            shown=str(shown),
            version=version.version if version else None,
        )
        await asyncio.to_thread(remove_oldest, shown.parent, keep=shown)
        return found

    async def details(self, case: CaseRecord) -> dict[str, Any]:
        """The row of a case, and its measurements, flags and versions."""
        await self.result_cases.adopt(case)
        waits = case.status in ("queued", "running")
        shown = self._known_description(case) if waits else await self._description(case)
        status = self.registry.status(case)
        newest = status.versions[-1] if status.versions else None
        examined: dict[str, Any] = {}
        if newest is not None and shown is not None and not waits:
            examined = await self.examine(case, newest)
        elif newest is not None:
            examined = examination(Path(case.folder), newest)
        return {
            **self.registry.row(case),
            **_findings(examined),
            "versions": [version_record(each) for each in status.versions],
            "labels": mask_labels(Path(case.folder)),
            "scan": shown,
            "is_result": case.mask is not None,
            "series_count": self.series_counts.get(case.scan or ""),
            "is_dicom": bool(shown and shown["is_dicom"]),
            "has_uncertainty": (Path(case.folder) / UNCERTAINTY_FILE).is_file()
            and (newest is None or is_of_last_run(Path(case.folder), newest)),
            "drafts": [asdict(each) for each in Drafts(Path(case.folder)).all()],
            "exports": possible_exports(
                has_scan=shown is not None, is_dicom=bool(shown and shown["is_dicom"])
            )
            if newest
            else [],
        }

    def _newest(self, case: CaseRecord) -> MaskVersion | None:
        versions = self.registry.status(case).versions
        return versions[-1] if versions else None

    def shown(self, case: CaseRecord, version: MaskVersion | None = None) -> Path:
        """Folder of the scan of a version as the viewer shows it; None: of the newest version."""
        return self.registry.shown(case, version or self._newest(case))

    def _known_description(
        self, case: CaseRecord, version: MaskVersion | None = None
    ) -> dict[str, Any] | None:
        """The description of a scan that was written; while a case is segmented, it may be there before the mask."""
        shown = self.shown(case, version)
        known = read_json(shown / DESCRIPTION_FILE)
        return known if known and (shown / SCAN_FILE).is_file() else None

    async def _description(self, case: CaseRecord) -> dict[str, Any] | None:
        try:
            return await self.describe_scan(case)
        except RmaMambaError:  # the job of the case has reported it
            return None

    async def examine(self, case: CaseRecord, version: MaskVersion) -> dict[str, Any]:
        """Measurements, quality and thumbnail of a version, computed once."""
        await self.describe_scan(case, version)
        found: dict[str, Any] = await self.workers.run(
            "examine",
            folder=case.folder,
            shown=str(self.shown(case, version)),
            version=version.version,
        )
        self.registry.status(case, fresh=True)
        return found

    async def save_version(
        self, case: CaseRecord, sent: Path, fields: dict[str, Any]
    ) -> dict[str, Any]:
        """Save a mask as a new version, and examine it; it is safe on disk before it is examined."""
        versions = MaskVersions(Path(case.folder))
        base = versions.find(fields["parent"])
        await self.describe_scan(case, base)
        shown = str(self.shown(case, base))
        saved = await self.workers.run(
            "save_version", folder=case.folder, shown=shown, sent=str(sent), fields=fields
        )
        self.registry.refresh(case)
        examined = await self.examine(case, versions.find(saved["version"]))
        self.registry.refresh(case)
        row = self.registry.row(case)
        conflict = fields["parent"] != saved["version"] - 1
        findings = _findings(examined)
        return {**row, **saved, **findings, "conflict": conflict}

    async def import_version(self, case: CaseRecord, **source: str) -> dict[str, Any]:
        """Save a mask of any format as the newest version; a case without a mask is done then.

        Args:
            case: The case.
            source: `sent`, the path of a file; or `series`, the UID of a DICOM mask beside the scan.

        Raises:
            ConfigError: The case is being segmented.
            ScanError, GridError: The mask cannot be read, or does not fit.
        """
        if case.status in ("queued", "running"):
            raise ConfigError(
                "the scan is being segmented; expected a case that is complete. Wait for it, or cancel it first."
            )
        saved: dict[str, Any] = await self.workers.run(
            "import_version", case=asdict(case), **source
        )
        if case.status in ("failed", "cancelled"):
            self.registry.update(case, "done")
        self.registry.refresh(case)
        return {**self.registry.row(case), **saved}

    async def findings(self, case: CaseRecord, version: MaskVersion) -> dict[str, Any]:
        """Measurements and flags of a version, which may be an older one."""
        return _findings(await self.examine(case, version))

    async def measure(
        self, case: CaseRecord, sent: Path, version: MaskVersion | None = None
    ) -> dict[str, Any]:
        """Measurements and flags of a mask that is not saved; `version` is the one that was changed."""
        await self.describe_scan(case, version)
        examined = await self.workers.run(
            "measure",
            folder=case.folder,
            shown=str(self.shown(case, version)),
            sent=str(sent),
            version=version.version if version else None,
        )
        return _findings(examined)

    async def use_tool(
        self,
        case: CaseRecord,
        sent: Path,
        tool: str,
        options: dict[str, str],
        version: MaskVersion | None = None,
    ) -> Path:
        """Change a mask that was made from a version; returns a file that the caller removes."""
        await self.describe_scan(case, version)
        out = self.incoming / f"{secrets.token_hex(8)}.nii.gz"
        shown = str(self.shown(case, version))
        await self.workers.run(
            "use_tool",
            folder=case.folder,
            shown=shown,
            sent=str(sent),
            tool=tool,
            options=options,
            out=str(out),
            version=version.version if version else None,
        )
        return out

    async def export(self, case: CaseRecord, version: int, kind: str) -> Path:
        """Write a version in another format; returns a file that the caller removes."""
        folder = private_folder(self.incoming / secrets.token_hex(8))
        try:
            name: str = await self.workers.run(
                "export", case=asdict(case), version=version, kind=kind, folder=str(folder)
            )
            path = folder / name
            return path.replace(self.incoming / f"{folder.name}-{name}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def identity(self, case: CaseRecord) -> dict[str, str]:
        """Patient and accession number of a DICOM scan."""
        found: dict[str, str] = await self.workers.run("identify", case=asdict(case))
        return found


def _findings(examined: dict[str, Any]) -> dict[str, Any]:
    """Measurements and flags as the page shows them."""
    measurements = []
    for name, value in (examined.get("measurements") or {}).items():
        if value is None:
            continue
        label, unit = label_and_unit(name)
        measurements.append({"name": name, "label": label, "value": value, "unit": unit})
    places = examined.get("places") or {}
    flags = [
        {
            "name": flag["code"],
            "light": flag["severity"],
            "words": flag["message"],
            "place": places.get(flag["code"]),
        }
        for flag in (examined.get("quality") or {}).get("flags", [])
    ]
    return {
        "measurements": measurements,
        "flags": flags,
        "warnings": examined.get("warnings", []),
    }


def _prefix(path: Path, root: Path, found: list[dict[str, Any]]) -> str:
    """What precedes the names of cases found in a path, so that they are those of a search in the served folder."""
    is_one_scan = path.is_file() or [each["scan"] for each in found] == [str(path)]
    above = path.parent if is_one_scan and path != root else path
    return "" if above == root else f"{above.relative_to(root)}/"


def _check_folder(folder: Path | None) -> None:
    if folder is not None and not folder.is_dir():
        raise ConfigError(
            "the folder to serve does not exist; expected a folder of scans. Check its name."
        )


def _results_folder(options: ServeOptions) -> Path:
    if options.results is not None:
        return options.results.resolve()
    if options.folder is not None:
        return options.folder.resolve() / RESULTS_FOLDER
    return user_folder() / "serve"
