"""Results of earlier runs, and the scans from which they were made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from rma_mamba.folder_tree import Folder, folder_tree
from rma_mamba.pipeline.discovery import Case, case_name, search
from rma_mamba.pipeline.provenance import input_sha256
from rma_mamba.pipeline.review.case_status import RUN_FILE, read_json
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, REVIEW_FOLDER


def result_folders(root: Path) -> dict[str, Path]:
    """Folders that `segment` has written, by the name of their case: the path below the root.

    Raises:
        OSError: A folder cannot be read.
    """
    return {
        str(each.path.relative_to(root)): each.path
        for each in _walk(folder_tree(root))
        if each.path != root and _is_result(each)
    }


def match_scans(results: Mapping[str, Path], scans: Path) -> dict[str, Case]:
    """The scan of each result that is found in a folder.

    A case has the name of its scan. If scans have moved, the last parts of the name decide, and then the digest of the
    files, which the run has recorded.

    Args:
        results: Folders by name, from `result_folders`.
        scans: Folder of scans.

    Raises:
        ScanError, ConfigError: The folder cannot be searched.
    """
    found = search(scans).cases
    cases = [Case(scans, case_name(scans))] if found is None else found
    named = {case.name: case for case in cases}
    endings: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        endings[case.name.rsplit("/", 1)[-1]].append(case)
    matches = {}
    for name, folder in results.items():
        match = named.get(name) or _moved(name, folder, endings)
        if match is not None:
            matches[name] = match
        elif (above := named.get(name.rpartition("/")[0])) and (number := _volume(name)):
            matches[name] = Case(above.scan, name, number)
    return matches


def _walk(folder: Folder) -> Iterator[Folder]:
    pending = [folder]
    while pending:
        each = pending.pop()
        yield each
        pending += (below for below in each.folders if below.path.name != REVIEW_FOLDER)


def _is_result(folder: Folder) -> bool:
    names = {path.name for path in folder.files}
    return {RUN_FILE, MASK_FILE} <= names and "rma_mamba" in read_json(folder.path / RUN_FILE)


def _moved(name: str, folder: Path, endings: Mapping[str, list[Case]]) -> Case | None:
    """A scan of the same name elsewhere, whose files are those of the run."""
    candidates = endings.get(name.rsplit("/", 1)[-1], [])
    if not candidates:
        return None
    expected = read_json(folder / RUN_FILE).get("input_sha256")
    return next((case for case in candidates if input_sha256(case.scan) == expected), None)


def _volume(name: str) -> int | None:
    """The number of a volume of a 4-D scan: 2 for "scan/volume_02"."""
    number = name.rpartition("/volume_")[2]
    return int(number) if number.isdecimal() else None
