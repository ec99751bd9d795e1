"""What a work list shows of a case, read from the files in its folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rma_mamba.pipeline.review.mask_versions import MaskVersion, MaskVersions
from rma_mamba.pipeline.review.review_decision import ReviewDecision, read_decision
from rma_mamba.volume import Modality

RUN_FILE = "run.json"
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
    run = read_json(case / RUN_FILE)
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
    run = read_json(case / RUN_FILE)
    files = (run.get("files") or {}).values()
    of_run = version.parent is None and (version.source_sha256 or version.mask_sha256) in files
    found = _of_run(case, run) if of_run else {}
    of_file = (
        version.parent is None or version.made is not None
    )  # else it is a remark of the author
    remarks = [version.note] if version.note and of_file else []
    return {**found, "warnings": [*found.get("warnings", []), *remarks]}


def _of_run(case: Path, run: dict[str, Any]) -> dict[str, Any]:
    measured = next(filter(None, (read_json(case / each) for each in _TABLES)), {})
    return {
        "measurements": {name: value for name, value in measured.items() if _is_measurement(value)},
        "quality": run.get("quality"),
        "warnings": run.get("warnings", []),
    }


def modality_of_case(case: Path) -> Modality | None:
    """The modality with which a case was segmented; None if unknown."""
    modality = read_json(case / RUN_FILE).get("modality")
    return cast("Modality", modality) if modality in ("CT", "MR") else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is none, or if it is corrupt."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_measurement(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _etag(versions: tuple[MaskVersion, ...], decision: ReviewDecision) -> str:
    text = json.dumps([[each.mask_sha256 for each in versions], repr(decision)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
