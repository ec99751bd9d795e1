"""Which scans there are in what was given as input: one, or a cohort.

One scan: a file; a folder of DICOM slices or pictures; a folder of folders that are the series of one study.
A cohort: a folder in or below which there are scan files (NIfTI, NRRD, MetaImage, zip), each a case; or a folder
of folders that belong to several studies, each a case. Folders that hold no scan file are DICOM cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.scans import count_studies, count_volumes

SCAN_FILES = (".nii.gz", ".nii", ".hdr.gz", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd", ".zip")
_PAIRED = (".img.gz", ".img")  # a scan by themselves only without a header of the same name


@dataclass(frozen=True)
class Case:
    """One scan of a cohort.

    Args:
        scan: File or folder.
        name: Its path below the cohort's folder, without the file's ending; the output's folder is named so.
        frame: Of a 4-D scan that is taken apart: which volume, from 1.
    """

    scan: Path
    name: str
    frame: int | None = None


def find_cohort(folder: Path, out: Path) -> list[Case] | None:
    """The cases in a folder, by name; None if the folder is a single scan.

    Args:
        folder: What was given as input.
        out: Where results go: never looked into.

    Raises:
        ConfigError: Two cases would have the same name.
    """
    if not folder.is_dir():
        return None
    skipped = out.resolve()
    files, folders = _inside(folder, skipped)
    if not (_holds_scan_files(folder, skipped) or (not files and _are_several_studies(folders))):
        return None
    cases = sorted(_cases(folder, "", skipped), key=lambda case: case.name)
    check_names(cases)
    return cases


def _cases(folder: Path, above: str, skipped: Path) -> Iterator[Case]:
    files, folders = _inside(folder, skipped)
    for file in files:
        if suffix := _scan_suffix(file):
            yield Case(file, above + file.name[: -len(suffix)])
    for below in folders:
        name = above + below.name
        if _holds_scan_files(below, skipped):
            yield from _cases(below, f"{name}/", skipped)
        elif _first_file(below) is not None:
            yield Case(below, name)


def apart(case: Case, series: str | None) -> list[Case]:
    """The volumes of a 4-D scan as cases of their own, `<case>/frame_01` and so on; a 3-D scan as it is.

    A scan that cannot be read is one case, and fails as such.
    """
    try:
        count = count_volumes(case.scan, series=series)
    except RmaMambaError:
        return [case]
    if count == 1:
        return [case]
    width = max(2, len(str(count)))
    names = (f"{case.name}/frame_{number:0{width}}" for number in range(1, count + 1))
    return [Case(case.scan, name, number) for number, name in enumerate(names, 1)]


def part_of(cases: list[Case], number: int, count: int) -> list[Case]:
    """Every `count`-th case from the `number`-th (from 0) on.

    Raises:
        ConfigError: There is no such part.
    """
    if not 0 <= number < count:
        raise ConfigError(
            f"the part is {number} of {count}; expected 0 to {count - 1}. "
            "Parts are counted from 0: give --part-id 0 for the first."
        )
    return cases[number::count]


def _inside(folder: Path, skipped: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders in a folder, by name; hidden ones and the results are left out."""
    seen = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in seen if path.is_dir() and path.resolve() != skipped]
    return [path for path in seen if path.is_file()], folders


def _holds_scan_files(folder: Path, skipped: Path) -> bool:
    files, folders = _inside(folder, skipped)
    return any(_scan_suffix(file) for file in files) or any(
        _holds_scan_files(below, skipped) for below in folders
    )


def _scan_suffix(file: Path) -> str:
    name = file.name.lower()
    for suffix in _PAIRED:
        if name.endswith(suffix):
            header = file.name[: -len(suffix)]
            alone = not any(file.with_name(header + end).exists() for end in (".hdr", ".hdr.gz"))
            return suffix if alone else ""
    return next((suffix for suffix in SCAN_FILES if name.endswith(suffix)), "")


def _are_several_studies(folders: list[Path]) -> bool:
    """Judged by one file of each folder: a cohort may hold a million of them."""
    first = [file for file in map(_first_file, folders) if file is not None]
    return count_studies(first) > 1


def _first_file(folder: Path) -> Path | None:
    for place, below, names in os.walk(folder):
        below.sort()
        if shown := sorted(name for name in names if not name.startswith(".")):
            return Path(place, shown[0])
    return None


def check_names(cases: list[Case]) -> None:
    """See that no two cases share a folder of results.

    Raises:
        ConfigError: Two do.
    """
    names = [case.name.casefold() for case in cases]
    if len(set(names)) < len(names):
        raise ConfigError(
            "two scans have the same name but for their ending, and would share an output folder; "
            "expected one name for each. Rename one of them."
        )
