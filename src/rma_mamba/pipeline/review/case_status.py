"""What a work list shows of a case, read from the files in its folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.review.mask_versions import MaskVersion, MaskVersions, lists_mask
from rma_mamba.pipeline.review.review_decision import ReviewDecision, read_decision
from rma_mamba.scans.earlier_results import RUN_RECORD
from rma_mamba.volume import Modality

STATISTICS_FILE = "statistics.json"
_TABLES = (STATISTICS_FILE, "measurements.json")
UNCERTAINTY_FILE = "uncertainty.nii.gz"
# In the folder of a version.
EXAMINED_FILE = "measurements.json"
THUMBNAIL_FILE = "thumbnail.png"


@dataclass(frozen=True)
class CaseStatus:
    """The state of a case.

    Args:
        versions: All versions of its mask.
        decision: The decision of a reviewer.
        modality: CT or MR; None if unknown.
        light: Traffic-light rating of the newest version; None if unknown.
        estimated_dice: Estimated Dice of the newest version; None for corrections.
        volume_ml: Volume of the newest version; None if it has not been measured.
        etag: Changes with each version and each decision.
    """

    versions: tuple[MaskVersion, ...]
    decision: ReviewDecision
    modality: str | None
    light: str | None
    estimated_dice: float | None
    volume_ml: float | None
    etag: str


def case_status(case: Path) -> CaseStatus:
    """Read the state of a case; nothing is computed."""
    versions = tuple(MaskVersions(case).all())
    decision = read_decision(case)
    run = run_of_case(case, versions[-1] if versions else None)
    examined = examination(case, versions[-1]) if versions else _of_run(case, run)
    quality = examined.get("quality") or {}
    measured = examined.get("measurements") or {}
    return CaseStatus(
        versions,
        decision,
        run.get("modality"),
        quality.get("light"),
        quality.get("estimated_dice"),
        measured.get("volume_ml"),
        _etag(versions, decision),
    )


def examination(case: Path, version: MaskVersion) -> dict[str, Any]:
    """Measurements, quality and warnings of a version: those of the run for its own mask; empty if not yet measured."""
    found = read_json(MaskVersions(case).path(version.version) / EXAMINED_FILE)
    if found:
        return found
    run = MaskVersions(case).run_of(version)
    found = _of_run(case, run) if version.parent is None and lists_mask(run, version) else {}
    of_file = (
        version.parent is None or version.made is not None
    )  # else it is a remark of the author
    remarks = [version.note] if version.note and of_file else []
    return {**found, "warnings": [*found.get("warnings", []), *remarks]}


def is_of_last_run(case: Path, version: MaskVersion) -> bool:
    """Whether the files beside a version are those of the run that made it, or from which it was corrected."""
    return lists_mask(read_json(case / RUN_RECORD), MaskVersions(case).origin(version))


def _of_run(case: Path, run: dict[str, Any]) -> dict[str, Any]:
    is_last = run.get("files") == read_json(case / RUN_RECORD).get("files")
    tables = (read_json(case / each) for each in _TABLES if is_last)
    measured: dict[str, Any] = next(filter(None, tables), {})
    return {
        "measurements": {name: value for name, value in measured.items() if _is_measurement(value)},
        "quality": run.get("quality"),
        "warnings": run.get("warnings", []),
    }


def run_of_case(case: Path, version: MaskVersion | None = None) -> dict[str, Any]:
    """The run that a version comes from; None: the newest one, or the last run if there is no version."""
    versions = MaskVersions(case)
    version = version or versions.newest
    return versions.run_of(version) if version else read_json(case / RUN_RECORD)


def modality_of_case(case: Path, version: MaskVersion | None = None) -> Modality | None:
    """The modality with which a case was segmented; None if unknown. `version` as in `run_of_case`."""
    modality = run_of_case(case, version).get("modality")
    return cast("Modality", modality) if modality in ("CT", "MR") else None


def _is_measurement(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _etag(versions: tuple[MaskVersion, ...], decision: ReviewDecision) -> str:
    text = json.dumps([[each.mask_sha256 for each in versions], repr(decision)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
