"""The scan of a result: where it is, and how it was read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case, case_name, search
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.result_folders import LABEL_MAPS, Result
from rma_mamba.pipeline.review.scan_reading import ScanReading
from rma_mamba.scans import list_series
from rma_mamba.scans.earlier_results import RUN_RECORD
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
    known = ScanFolder(scans)
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
    return ScanReading.of_run(read_json(folder / RUN_RECORD)).options


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


class ScanFolder:
    """The scans in a folder by name, by the last part of the name, and by their series.

    Args:
        folder: Folder of scans; or a scan.

    Raises:
        ScanError, ConfigError: The folder cannot be searched.
    """

    def __init__(self, folder: Path) -> None:
        found = search(folder).cases
        self.cases = [Case(folder, case_name(folder))] if found is None else found

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
        """The scan of the last run, or of the mask from any tool; see `match_scans`."""
        last = ScanReading.of_run(read_json(result.folder / RUN_RECORD)) if result.is_own else None
        return next(self.candidates(result, last), None)

    def candidates(self, result: Result, reading: ScanReading | None) -> Iterator[Case]:
        """The scans on which a version of a mask may have been made: those of its name, then the one it refers to.

        Those of the same name in other folders must have the files that were recorded.
        """
        parts = _PARTS.fullmatch(result.name)
        scan = parts["scan"] if parts else result.name
        exact = self.named.get(result.name) or self.named.get(scan)
        if exact is not None:
            yield self._renamed(exact, result.name)
        others = [each for each in self.endings[scan.rsplit("/", 1)[-1]] if each is not exact]
        if result.is_own:
            others = [case for case in others if reading and reading.has_files_of(case.scan)]
        elif len(others) != 1:
            others = []
        yield from (self._renamed(case, result.name) for case in others)
        if (case := self._of_object(result)) is not None:
            yield self._renamed(case, result.name)

    def _renamed(self, case: Case, name: str) -> Case:
        """The scan as that of a result, which may be one of its volumes."""
        parts = _PARTS.fullmatch(name)
        volume = int(parts["volume"]) if parts and parts["volume"] else case.volume
        return Case(case.scan, name, volume)

    def _of_object(self, result: Result) -> Case | None:
        uid = _referenced(result.mask)
        return self.series.get(uid) if uid else None
