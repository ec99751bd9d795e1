"""The search for scans in folders and uploads, as tasks of worker processes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.pipeline.discovery import Case, case_name, search, split_volumes
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.pipeline.review.adopted_masks import adopt_as_it_is
from rma_mamba.pipeline.review.result_folders import Result, find_results
from rma_mamba.pipeline.review.result_scans import match_scans
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
    warnings = list(found.warnings)
    if found.cases is None:
        warnings += _other_series(root)
    if len(cases) <= _SPLIT_UP_TO:
        cases = [volume for case in cases for volume in split_volumes(case)]
    return {
        "cases": [
            {"scan": str(each.scan), "name": each.name, "volume": each.volume} for each in cases
        ],
        "warnings": warnings,
    }


def list_results(
    report: Progress, *, results: list[str], scans: str | None
) -> list[dict[str, Any]]:
    """Results of earlier runs and of other tools, with their scans where these are found.

    Masks beside scans are results only if this program has written them.
    """
    listed = []
    for root in map(Path, results):
        of_other_tools = scans is None or root.resolve() != Path(scans).resolve()
        found = find_results(root, of_other_tools=of_other_tools) if root.is_dir() else {}
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


def list_upload(report: Progress, *, folder: str, max_bytes: int, max_files: int) -> dict[str, Any]:
    """The scans in an upload, whose zip archives are extracted.

    Raises:
        ScanError: There are none, or an archive cannot be read.
    """
    root = Path(folder)
    skipped: list[tuple[str, str]] = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.stat().st_size and detect_format(path) == "zip":
            skipped += _extract(path, max_bytes, max_files)
    if not any(path.is_file() for path in root.rglob("*")):
        raise ScanError(
            "the upload contains no file that can be used; expected NIfTI, NRRD, MetaImage, DICOM, images or a "
            "zip archive of these. Choose other files."
        )
    found = list_cases(report, path=str(_single_folder(root)))
    return {**found, "skipped": skipped}


def _extract(path: Path, max_bytes: int, max_files: int) -> list[tuple[str, str]]:
    """Replace an archive by a folder of its content."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    archive = path.with_name(f".{digest}.zip")
    path.rename(archive)
    folder = path.with_name(
        path.name[: -len(".zip")] if path.name.lower().endswith(".zip") else path.name
    )
    folder.mkdir(exist_ok=True)

    def place(name: str) -> PurePosixPath | None:
        return safe_path(name)

    try:
        return extract_archive(archive, folder, place, max_bytes=max_bytes, max_files=max_files)
    finally:
        archive.unlink()


def _single_folder(root: Path) -> Path:
    """The folder in which everything is: its name is a better one for a case."""
    while True:
        inside = list(root.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return root
        root = inside[0]


def _other_series(path: Path) -> list[str]:
    """Which of several DICOM series is a case."""
    try:
        series = list_series(path, any_study=True) if path.is_dir() else []
    except RmaMambaError:
        return []
    if len(series) < 2:
        return []
    chosen = next((number for number, each in enumerate(series, 1) if each.chosen), None)
    which = f"number {chosen}, the most suitable one, is used" if chosen else "none is suitable"
    return [f"The study contains {len(series)} series: {which}."]
