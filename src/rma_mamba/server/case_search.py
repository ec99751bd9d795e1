"""The search for scans in folders and uploads, as tasks of worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.pipeline.discovery import Case, case_name, search, split_volumes
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.pipeline.review.adopted_masks import adopt_as_it_is
from rma_mamba.pipeline.review.result_folders import Result, find_results
from rma_mamba.pipeline.review.result_scans import match_scans, series_of_result
from rma_mamba.scans import list_series
from rma_mamba.scans.archive_extraction import extract_archive
from rma_mamba.scans.formats import detect_format
from rma_mamba.server.upload_parser import safe_path

_SPLIT_UP_TO = 20  # cases; to count the volumes of each scan in a large cohort would take long


def list_cases(report: Progress, *, path: str, results: str | None = None) -> dict[str, Any]:
    """The scans in a path, and warnings about what was skipped; each volume of a 4-D scan is a case."""
    root = Path(path)
    found = search(root, results)
    cases = [Case(root, case_name(root))] if found.cases is None else found.cases
    series = _count_series(root) if found.cases is None else 0
    if len(cases) <= _SPLIT_UP_TO:
        cases = [volume for case in cases for volume in split_volumes(case)]
    return {
        "cases": [_case_as_json(each) for each in cases],
        "warnings": list(found.warnings),
        "series": series,
    }


def list_series_of_case(report: Progress, *, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The DICOM series in the scan of a case; `is_first` marks the one that the case itself is."""
    scan = Path(case["scan"])
    mask = Path(case["mask"]) if case["mask"] else None
    own = case["series"] or series_of_result(Path(case["folder"]), scan, mask)
    try:
        rows = list_series(scan, any_study=True)
    except RmaMambaError:  # not DICOM
        return []
    return [
        {
            "number": each.number,
            "study": each.study,
            "uid": each.uid,
            "modality": each.modality,
            "description": each.description,
            "slices": each.images // max(1, each.volumes),
            "volumes": each.volumes,
            "orientation": each.orientation,
            "spacing_mm": each.spacing_mm,
            "can_open": each.is_scan,
            "is_mask": each.modality in ("SEG", "RTSTRUCT") and scan.is_dir(),
            "is_first": each.chosen if own is None else own in (each.uid, str(each.number)),
        }
        for each in rows
    ]


def list_volumes(report: Progress, *, path: str, name: str, series: str) -> list[dict[str, Any]]:
    """A series as a case; each of its volumes if it has several."""
    volumes = split_volumes(Case(Path(path), name), series)
    return [{**_case_as_json(each), "series": series} for each in volumes]


def _case_as_json(case: Case) -> dict[str, Any]:
    return {"scan": str(case.scan), "name": case.name, "volume": case.volume}


def list_results(
    report: Progress, *, results: list[str], scans: str | None
) -> list[dict[str, Any]]:
    """Results of earlier runs and of other tools, with their scans where these are found.

    Masks beside scans are results only if this program has written them.
    """
    listed = []
    for root in map(Path, results):
        found = find_results(root, scans=Path(scans) if scans else None) if root.is_dir() else {}
        matches = _matches(found, scans)
        for each in found.values():
            if each.is_on_grid:  # others are adopted with their scan
                with suppress(RmaMambaError):
                    adopt_as_it_is(each)
        listed += [_as_json(found[name], matches.get(name)) for name in sorted(found)]
    return listed


def _matches(found: dict[str, Result], scans: str | None) -> dict[str, Case]:
    try:
        return match_scans(found, Path(scans)) if scans and found else {}
    except RmaMambaError:  # the folder cannot be read as scans
        return {}


def _as_json(result: Result, case: Case | None) -> dict[str, Any]:
    return {
        "name": result.name,
        "folder": str(result.folder),
        "mask": str(result.mask),
        "scan": str(case.scan) if case else None,
        "volume": case.volume if case else None,
    }


class _Limits(NamedTuple):
    """What archives of an upload may still contain."""

    max_bytes: int
    max_files: int

    def without(self, paths: Iterable[Path]) -> _Limits:
        """What is left beside these files."""
        sizes = [path.stat().st_size for path in paths]
        return _Limits(max(self.max_bytes - sum(sizes), 0), max(self.max_files - len(sizes), 0))


def list_upload(report: Progress, *, folder: str, max_bytes: int, max_files: int) -> dict[str, Any]:
    """The scans in an upload, whose zip archives are extracted.

    Raises:
        ScanError: There are none, or an archive cannot be read, or exceeds what the limits leave for it.
    """
    root = Path(folder)
    skipped: list[tuple[str, str]] = []
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    archives = [path for path in files if path.stat().st_size and detect_format(path) == "zip"]
    # the limits are those of the whole upload: an archive gets what the other files and archives leave
    left = _Limits(max_bytes, max_files).without(set(files) - set(archives))
    for archive in archives:
        target = _folder_of(archive)
        skipped += _extract(archive, target, left)
        left = left.without(path for path in target.rglob("*") if path.is_file())
    if not any(path.is_file() for path in root.rglob("*")):
        raise ScanError(
            "the upload contains no file that can be used; expected NIfTI, NRRD, MetaImage, DICOM, images or a "
            "zip archive of these. Choose other files."
        )
    found = list_cases(report, path=str(_single_folder(root)))
    return {**found, "skipped": skipped}


def _folder_of(archive: Path) -> Path:
    """The folder that replaces an archive."""
    name = archive.name
    return archive.with_name(name[: -len(".zip")] if name.lower().endswith(".zip") else name)


def _extract(path: Path, folder: Path, limits: _Limits) -> list[tuple[str, str]]:
    """Replace an archive by a folder of its content."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    archive = path.with_name(f".{digest}.zip")
    path.rename(archive)
    folder.mkdir(exist_ok=True)

    def place(name: str) -> PurePosixPath | None:
        return safe_path(name)

    try:
        return extract_archive(
            archive, folder, place, max_bytes=limits.max_bytes, max_files=limits.max_files
        )
    finally:
        archive.unlink()


def _single_folder(root: Path) -> Path:
    """The folder in which everything is: its name is a better one for a case."""
    while True:
        inside = list(root.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return root
        root = inside[0]


def _count_series(path: Path) -> int:
    """Number of the DICOM series in a path; 0 for other formats."""
    try:
        return len(list_series(path, any_study=True))
    except RmaMambaError:
        return 0
