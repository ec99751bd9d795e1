"""The reviewed cases of a folder: results, uploads and their scans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.review.case_status import read_json
from rma_mamba.pipeline.review.folder_names import (
    RESULTS_FOLDER,
    STATE_FOLDER,
    UPLOAD_RECORD,
    UPLOAD_RESULTS,
    UPLOADS_FOLDER,
)
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersion, MaskVersions
from rma_mamba.pipeline.review.result_folders import Result, find_results
from rma_mamba.pipeline.review.result_scans import match_scans
from rma_mamba.pipeline.review.review_decision import ReviewDecision, read_decision


@dataclass(frozen=True)
class ReviewedCase:
    """A case that was decided on.

    Args:
        name: Name of the case.
        folder: Folder of its results.
        scan: The scan; None if it was not found.
        decision: The decision.
        version: The version of the mask that was accepted: the one reviewed, else the newest.
        source: The file from which its first version was made; None for an upload.
    """

    name: str
    folder: Path
    scan: Case | None
    decision: ReviewDecision
    version: MaskVersion
    source: Path | None = None

    @property
    def mask(self) -> Path:
        """The mask of the version."""
        return MaskVersions(self.folder).path(self.version.version) / MASK_FILE


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
    own = folder / RESULTS_FOLDER
    results = own if own.is_dir() else folder
    found = find_results(results)
    decided = {
        name: each for name, each in found.items() if read_decision(each.folder).state in states
    }
    known = _scans_of(decided, scans or folder) if decided else {}
    cases = [
        _reviewed(name, each.folder, known.get(name), each.mask) for name, each in decided.items()
    ]
    cases += _uploads(results / STATE_FOLDER / UPLOADS_FOLDER, states)
    return sorted(filter(None, cases), key=lambda each: each.name)


def _scans_of(decided: dict[str, Result], folder: Path) -> dict[str, Case]:
    try:
        return match_scans(decided, folder)
    except ScanError:  # there are results only
        return {}


def _uploads(folder: Path, states: Sequence[str]) -> Iterator[ReviewedCase | None]:
    for record in sorted(folder.glob(f"*/{UPLOAD_RECORD}")):
        for case in read_json(record).get("cases", []):
            results = record.parent / UPLOAD_RESULTS / case["name"]
            if read_decision(results).state in states:
                name = f"{record.parent.name}/{case['name']}"  # two uploads may have equal names
                scan = Case(Path(case["scan"]), case["name"], case["volume"])
                yield _reviewed(name, results, scan)


def _reviewed(
    name: str, folder: Path, scan: Case | None, source: Path | None = None
) -> ReviewedCase | None:
    decision, versions = read_decision(folder), MaskVersions(folder).all()
    reviewed = [each for each in versions if each.version == decision.version] or versions[-1:]
    return ReviewedCase(name, folder, scan, decision, reviewed[0], source) if reviewed else None
