"""The reviewed cases of a folder: results, uploads and their scans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.review.folder_names import (
    RESULTS_FOLDER,
    STATE_FOLDER,
    UPLOAD_RECORD,
    UPLOAD_RESULTS,
    UPLOADS_FOLDER,
)
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersion, MaskVersions
from rma_mamba.pipeline.review.result_folders import Result, find_results
from rma_mamba.pipeline.review.result_scans import ScanFolder
from rma_mamba.pipeline.review.review_decision import ReviewDecision, read_decision
from rma_mamba.pipeline.review.scan_reading import ScanReading
from rma_mamba.scans.earlier_results import RUN_RECORD


@dataclass(frozen=True)
class ReviewedCase:
    """A case that was decided on.

    Args:
        name: Name of the case.
        folder: Folder of its results.
        scans: The scans on which the version may have been made, the likeliest first; none if nothing was found.
        decision: The decision.
        version: The version of the mask that was accepted: the one reviewed, else the newest.
        source: The file from which its first version was made; None for an upload.
        newest: Number of the newest version, which nobody may have reviewed yet.
    """

    name: str
    folder: Path
    scans: tuple[Case, ...]
    decision: ReviewDecision
    version: MaskVersion
    source: Path | None = None
    newest: int = 0

    @property
    def is_outdated(self) -> bool:
        """Whether a newer version was saved after the one that was reviewed."""
        return self.newest > self.version.version

    @property
    def mask(self) -> Path:
        """The mask of the version."""
        return MaskVersions(self.folder).path(self.version.version) / MASK_FILE


def state_folder(folder: Path) -> Path:
    """Where a server keeps its own files for a folder of results, or for a folder of scans that was served."""
    own = folder / RESULTS_FOLDER
    return (own if own.is_dir() else folder) / STATE_FOLDER


def reviewed_cases(
    folder: Path, states: Sequence[str], scans: Path | None = None
) -> list[ReviewedCase]:
    """The cases of a folder with some decision, sorted by name.

    Args:
        folder: Folder of results, or a folder of scans that was served.
        states: Decisions.
        scans: Folder of the scans, if it is another one.

    Raises:
        OSError: A folder cannot be read.
        ConfigError: Two scans have the same name.
    """
    state = state_folder(folder)
    found = find_results(state.parent)
    decided = {
        name: each for name, each in found.items() if read_decision(each.folder).state in states
    }
    known = _scans_of(scans or folder) if decided else None
    cases = [_of_result(each, known) for each in decided.values()]
    cases += _uploads(state / UPLOADS_FOLDER, states)
    return sorted(filter(None, cases), key=lambda each: each.name)


def _scans_of(folder: Path) -> ScanFolder | None:
    try:
        return ScanFolder(folder)
    except ScanError:  # there are results only
        return None


def _of_result(result: Result, known: ScanFolder | None) -> ReviewedCase | None:
    found = _reviewed(result.name, result.folder, (), result.mask)
    if found is None or known is None:
        return found
    reading = found.version.scan or ScanReading.of_run(read_json(result.folder / RUN_RECORD))
    return replace(found, scans=tuple(known.candidates(result, reading)))


def _uploads(folder: Path, states: Sequence[str]) -> Iterator[ReviewedCase | None]:
    for record in sorted(folder.glob(f"*/{UPLOAD_RECORD}")):
        for case in read_json(record).get("cases", []):
            results = record.parent / UPLOAD_RESULTS / case["name"]
            if read_decision(results).state in states:
                name = f"{record.parent.name}/{case['name']}"  # two uploads may have equal names
                scan = Case(Path(case["scan"]), case["name"], case["volume"])
                yield _reviewed(name, results, (scan,))


def _reviewed(
    name: str, folder: Path, scans: tuple[Case, ...], source: Path | None = None
) -> ReviewedCase | None:
    decision, versions = read_decision(folder), MaskVersions(folder).all()
    reviewed = [each for each in versions if each.version == decision.version] or versions[-1:]
    if not reviewed:
        return None
    newest = versions[-1].version
    return ReviewedCase(name, folder, scans, decision, reviewed[0], source, newest)
