"""Find the scans in an input path: one scan, or a cohort.

One scan is a file; a folder of DICOM slices or images; or a folder of folders that are the series of one study.
A cohort is a folder that contains scan files (NIfTI, NRRD, MetaImage, zip) at any depth, each of them a case; or a
folder of folders that belong to several studies, each folder a case. Folders without scan files are DICOM cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.conventions import (
    ANALYZE_SUFFIXES,
    ARCHIVE_SUFFIXES,
    ITK_SUFFIXES,
    NIFTI_SUFFIXES,
    SCAN_SUFFIXES,
    strip_suffix,
)
from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.scans import count_studies, count_volumes

# In a cohort, a single image or DICOM file is a slice of a scan, not a case.
_CASE_SUFFIXES = (*NIFTI_SUFFIXES, *ANALYZE_SUFFIXES, *ITK_SUFFIXES, *ARCHIVE_SUFFIXES)
_DATA_SUFFIXES = (".img.gz", ".img")  # a case only if there is no header of the same name


@dataclass(frozen=True)
class Case:
    """One scan of a cohort.

    Args:
        scan: File or folder.
        name: Path relative to the folder of the cohort, without the suffix; also the name of its output folder.
        volume: Number of the volume, from 1, if the case is one volume of a 4-D scan.
    """

    scan: Path
    name: str
    volume: int | None = None


def find_cases(path: str | Path, *, results: str | Path | None = None) -> list[Case]:
    """The cases at a path, sorted by name; a single scan is one case.

    Args:
        path: A scan, or a folder of scans.
        results: Folder of the results, which is not searched.

    Raises:
        ConfigError: Two cases would share an output folder.
    """
    path = Path(path)
    cases = find_cohort(path, results)
    return [Case(path, case_name(path))] if cases is None else cases


def find_cohort(folder: Path, results: str | Path | None = None) -> list[Case] | None:
    """The cases in a folder, sorted by name; None if the path is a single scan. See `find_cases`."""
    if not folder.is_dir():
        return None
    skipped = Path(results).resolve() if results is not None else None
    files, folders = _files_and_folders(folder, skipped)
    is_cohort = _contains_scan_files(folder, skipped) or (not files and _several_studies(folders))
    if not is_cohort:
        return None
    cases = sorted(_walk(folder, "", skipped), key=lambda case: case.name)
    check_unique_names(cases)
    return cases


def case_name(scan: Path) -> str:
    """The name of a scan without its suffix, and so the name of its output folder."""
    return strip_suffix(scan.resolve().name, SCAN_SUFFIXES)


def split_volumes(case: Case, series: str | None = None) -> list[Case]:
    """The volumes of a 4-D scan as cases named `<case>/volume_01` and so on; a 3-D scan unchanged.

    A scan that cannot be read remains one case, and fails when it is segmented.
    """
    try:
        count = count_volumes(case.scan, series=series)
    except RmaMambaError:
        return [case]
    if count == 1:
        return [case]
    width = max(2, len(str(count)))
    return [
        Case(case.scan, f"{case.name}/volume_{number:0{width}}", number)
        for number in range(1, count + 1)
    ]


def select_part(cases: list[Case], part: int, parts: int) -> list[Case]:
    """Every `parts`-th case, beginning with case number `part` (from 0).

    Raises:
        ConfigError: `part` is out of range.
    """
    if not 0 <= part < parts:
        raise ConfigError(
            f"the part is {part} of {parts}; expected 0 to {parts - 1}. "
            "Parts are numbered from 0: use --part-id 0 for the first."
        )
    return cases[part::parts]


def check_unique_names(cases: list[Case]) -> None:
    """Check that no two cases share an output folder.

    Raises:
        ConfigError: Two cases share one.
    """
    names = [case.name.casefold() for case in cases]
    if len(set(names)) < len(names):
        raise ConfigError(
            "two scans have names that differ only in suffix or capitalisation, and would share an output folder; "
            "expected distinct names. Rename one of them."
        )


def _walk(folder: Path, prefix: str, skipped: Path | None) -> Iterator[Case]:
    files, folders = _files_and_folders(folder, skipped)
    for file in files:
        if suffix := _case_suffix(file):
            yield Case(file, prefix + file.name[: -len(suffix)])
    for below in folders:
        name = prefix + below.name
        if _contains_scan_files(below, skipped):
            yield from _walk(below, f"{name}/", skipped)
        elif _first_file(below) is not None:
            yield Case(below, name)


def _files_and_folders(folder: Path, skipped: Path | None) -> tuple[list[Path], list[Path]]:
    """Files and folders in a folder, sorted by name, except hidden ones and the results."""
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in found if path.is_dir() and path.resolve() != skipped]
    return [path for path in found if path.is_file()], folders


def _contains_scan_files(folder: Path, skipped: Path | None) -> bool:
    files, folders = _files_and_folders(folder, skipped)
    return any(_case_suffix(file) for file in files) or any(
        _contains_scan_files(below, skipped) for below in folders
    )


def _case_suffix(file: Path) -> str:
    """The suffix of a scan file; empty if the file is not a case."""
    name = file.name.lower()
    suffix = next((suffix for suffix in _CASE_SUFFIXES if name.endswith(suffix)), "")
    if suffix in _DATA_SUFFIXES:
        stem = file.name[: -len(suffix)]
        if any(file.with_name(stem + header).exists() for header in (".hdr", ".hdr.gz")):
            return ""
    return suffix


def _several_studies(folders: list[Path]) -> bool:
    """Whether folders belong to several studies, judged by one file each: a cohort may contain a million files."""
    first = [file for file in map(_first_file, folders) if file is not None]
    return count_studies(first) > 1


def _first_file(folder: Path) -> Path | None:
    for place, below, names in os.walk(folder):
        below.sort()
        if visible := sorted(name for name in names if not name.startswith(".")):
            return Path(place, visible[0])
    return None
