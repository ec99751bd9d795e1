"""The scan of a version of a mask: the one on which it was made, whatever was segmented since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.mask_versions import MaskVersion
from rma_mamba.pipeline.review.result_scans import (
    read_scan_of_result,
    reading_of_result,
    series_of_result,
)
from rma_mamba.pipeline.review.scan_reading import ScanReading
from rma_mamba.scans import list_series
from rma_mamba.scans.formats import detect_format
from rma_mamba.volume import Volume

_ONE_SCAN = ("nifti", "itk")


@dataclass(frozen=True, eq=False)
class VersionScan:
    """The scan of a version.

    Args:
        path: Its file or folder.
        volume: Its voxels.
        is_plain: Whether the file or folder is read as this scan without any choice of a series or volume.
    """

    path: Path
    volume: Volume
    is_plain: bool


def scan_of_version(
    folder: Path,
    version: MaskVersion | None,
    candidates: Iterable[Case],
    *,
    series: str | None = None,
    mask: Path | None = None,
) -> VersionScan:
    """Read the scan on which a version of a mask was made.

    A scan is that of the version if it has the same voxels on the same grid, or if its files and the way they are read
    are those that were recorded. A series is found again whatever its number is now.

    Args:
        folder: The folder of the case.
        version: The version; None, or one by an earlier release: the scan is read as the last run has read it.
        candidates: Scans that may be the one, the likeliest first; at least one.
        series: The series that was opened; None: as recorded.
        mask: The file of the mask, which may refer to a series.

    Raises:
        ScanError: None of the scans is the one.
        ScanError, GridError, ConfigError: The only scan cannot be read.
    """
    scans = list(candidates)
    recorded = version.scan if version else None
    if version is None or recorded is None or recorded == ScanReading():
        return _as_last_run(folder, scans[0], series, mask)
    errors = []
    for case in scans:
        try:
            found = _find(case, recorded, partial(_hint, folder, case, series, mask))
        except RmaMambaError as error:
            errors.append(error)
            continue
        if found is not None:
            return found
    if len(errors) == len(scans) == 1:
        raise errors[0]
    raise ScanError(
        f"the scan of case {scans[0].name} is not the one on which version {version.version} of its mask was made: its "
        "files were replaced, or the series or volume is no longer there; expected the same voxels. Put the scan back, "
        "or segment the case again."
    )


def unchanged_file(version: MaskVersion, candidates: Sequence[Case]) -> Path | None:
    """The file of a scan that is not DICOM, if it is the one of a version as a whole; nothing is read but its bytes."""
    if version.scan is None or version.scan.options != ReadOptions():
        return None
    files = (case.scan for case in candidates if case.volume is None and case.scan.is_file())
    with suppress(RmaMambaError):  # reported when it is read
        return next(
            (
                path
                for path in files
                if detect_format(path) in _ONE_SCAN and version.scan.has_files_of(path)
            ),
            None,
        )
    return None


def _as_last_run(folder: Path, case: Case, series: str | None, mask: Path | None) -> VersionScan:
    scan = read_scan_of_result(folder, case.scan, volume=case.volume, series=series, mask=mask)
    is_plain = case.volume is None and reading_of_result(folder) == ReadOptions()
    is_plain = is_plain and _hint(folder, case, series, mask) is None
    return VersionScan(case.scan, scan, is_plain)


def _hint(folder: Path, case: Case, series: str | None, mask: Path | None) -> str | None:
    """The series that is the likeliest one; None: the most suitable one."""
    return series or series_of_result(folder, case.scan, mask)


def _find(case: Case, recorded: ScanReading, hint: Callable[[], str | None]) -> VersionScan | None:
    """The scan, if it is that of the version.

    Raises:
        RmaMambaError: It cannot be read in the way that was recorded, nor is there a series with the same voxels.
    """
    options = replace(recorded.options, volume=recorded.volume or case.volume)
    error: RmaMambaError | None = None
    try:
        scan = options.read(case.scan, any_study=True)
        if recorded.has_voxels_of(scan) or recorded.has_files_of(case.scan):
            return VersionScan(case.scan, scan, options == ReadOptions())
    except RmaMambaError as found:
        error = found
    for other in _other_readings(case.scan, options, hint):
        with suppress(RmaMambaError):  # it is another one
            scan = other.read(case.scan, any_study=True)
            if recorded.has_voxels_of(scan):
                return VersionScan(case.scan, scan, is_plain=False)
    if error is not None:
        raise error
    return None


def _other_readings(
    scan: Path, options: ReadOptions, hint: Callable[[], str | None]
) -> Iterator[ReadOptions]:
    """Each volume of each series of a study, beginning with the likeliest series; none for other formats."""
    try:
        rows = list_series(scan, any_study=True)
    except RmaMambaError:  # not DICOM
        return
    first = hint()
    rows.sort(key=lambda each: first not in (each.uid, str(each.number)))
    for row in rows:
        numbers = range(1, row.volumes + 1) if row.volumes > 1 else (None,)
        for number in numbers if row.is_scan else ():
            yield replace(options, series=row.uid, volume=number)
