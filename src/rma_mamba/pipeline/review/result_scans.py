"""The scan of a result: where it is, and how it was read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case, case_name, search
from rma_mamba.pipeline.provenance import input_sha256
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.case_status import RUN_FILE, read_json
from rma_mamba.pipeline.review.result_folders import LABEL_MAPS, Result
from rma_mamba.scans import list_series
from rma_mamba.volume import Volume

# The name of a case that is another series of a study, or a volume of a 4-D scan.
_PARTS = re.compile(r"(?P<scan>.*?)(/series_\d+)?(/volume_(?P<volume>\d+))?")


def name_of_series(scan: str, number: int) -> str:
    """The name of the case of another series of a study."""
    return f"{scan}/series_{number:02}"


def name_of_scan(name: str) -> str:
    """The name of the case of a study or 4-D scan, from that of one of its series or volumes."""
    found = _PARTS.fullmatch(name)
    return found["scan"] if found else name


def match_scans(results: Mapping[str, Result], scans: Path) -> dict[str, Case]:
    """The scan of each result that is found in a folder.

    A case has the name of its scan. If scans have moved, the last part of the name decides, together with the digest of
    the files, which the run has recorded. The result of another tool has no such record: the last part of its name
    decides alone if it is the name of one scan only, and then the series that a DICOM object refers to.

    Args:
        results: Results by name.
        scans: Folder of scans.

    Raises:
        ScanError, ConfigError: The folder cannot be searched.
    """
    found = search(scans).cases
    known = _Scans([Case(scans, case_name(scans))] if found is None else found)
    matches = ((name, known.of(result)) for name, result in results.items())
    return {name: case for name, case in matches if case is not None}


def read_scan_of_result(
    folder: Path,
    scan: Path,
    *,
    volume: int | None = None,
    series: str | None = None,
    mask: Path | None = None,
) -> Volume:
    """Read the scan of a case as its run has read it: the same series and volume, with the same spacing.

    Args:
        folder: The folder of the case.
        scan: The scan.
        volume: Number of the volume, if each volume of a 4-D scan is a case.
        series: The series; None: that of the run, else the one that the mask refers to, else the most suitable one.
        mask: The file of the mask.

    Raises:
        ScanError, GridError, ConfigError: It cannot be read.
    """
    stated = reading_of_result(folder)
    reading = replace(
        stated,
        series=series or series_of_result(folder, scan, mask),
        volume="all" if volume else stated.volume,
    )
    return reading.read(scan, volume, any_study=True)


def series_of_result(folder: Path, scan: Path, mask: Path | None = None) -> str | None:
    """The series of a scan on which a mask was made: its number or UID; None: the most suitable one."""
    stated = reading_of_result(folder).series
    return stated or (_series_of_object(mask, scan) if mask else None)


def reading_of_result(folder: Path) -> ReadOptions:
    """How the scan of a result was read, as `run.json` states it; the defaults where it does not."""
    settings = read_json(folder / RUN_FILE).get("settings")
    stated: dict[str, Any] = settings if isinstance(settings, dict) else {}
    series, volume, spacing = (stated.get(key) for key in ("series", "volume", "spacing_mm"))
    return ReadOptions(
        series=str(series) if series else None,
        volume=volume if isinstance(volume, int) else None,
        spacing_mm=tuple(map(float, spacing)) if isinstance(spacing, list) else None,
    )


def _series_of_object(mask: Path, scan: Path) -> str | None:
    """The series of a scan that a DICOM mask refers to; None if it is not there."""
    uid = _referenced(mask)
    return uid if uid in _series_in(scan) else None


def _referenced(mask: Path) -> str | None:
    """The series that a DICOM mask refers to; None for other files."""
    if mask.is_dir() or mask.name.lower().endswith(LABEL_MAPS):
        return None
    from rma_mamba.scans.dicom_mask_objects import referenced_series  # imports pydicom

    return referenced_series(mask)


def _series_in(scan: Path) -> set[str]:
    try:
        return {each.uid for each in list_series(scan, any_study=True)}
    except RmaMambaError:  # not DICOM
        return set()


@dataclass(frozen=True, eq=False)
class _Scans:
    """Scans by name, by the last part of the name, and by their series."""

    cases: list[Case]

    @cached_property
    def named(self) -> dict[str, Case]:
        return {case.name: case for case in self.cases}

    @cached_property
    def endings(self) -> dict[str, list[Case]]:
        found: dict[str, list[Case]] = defaultdict(list)
        for case in self.cases:
            found[case.name.rsplit("/", 1)[-1]].append(case)
        return found

    @cached_property
    def series(self) -> dict[str, Case]:
        """By SeriesInstanceUID; read only if a mask from another tool has no scan of its name."""
        return {uid: case for case in self.cases for uid in _series_in(case.scan)}

    def of(self, result: Result) -> Case | None:
        """The scan of a result."""
        if result.name in self.named:
            return self.named[result.name]
        parts = _PARTS.fullmatch(result.name)
        scan = parts["scan"] if parts else result.name
        case = self.named.get(scan) or self._moved(
            result, self.endings.get(scan.rsplit("/", 1)[-1], ())
        )
        case = case or self._of_object(result)
        if case is None:
            return None
        volume = int(parts["volume"]) if parts and parts["volume"] else case.volume
        return Case(case.scan, result.name, volume)

    def _moved(self, result: Result, candidates: Iterable[Case]) -> Case | None:
        """A scan of the same name elsewhere, whose files are those of the run."""
        candidates = list(candidates)
        expected = read_json(result.folder / RUN_FILE).get("input_sha256")
        if not result.is_own:
            return candidates[0] if len(candidates) == 1 else None
        return next((case for case in candidates if input_sha256(case.scan) == expected), None)

    def _of_object(self, result: Result) -> Case | None:
        uid = _referenced(result.mask)
        return self.series.get(uid) if uid else None
