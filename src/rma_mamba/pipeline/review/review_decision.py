"""What a reviewer has decided on a case: `review/review.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.pipeline.review.mask_versions import REVIEW_FOLDER, MaskVersion, MaskVersions

ReviewState = Literal["unseen", "accepted", "corrected", "rejected"]
STATES: tuple[ReviewState, ...] = ("unseen", "accepted", "corrected", "rejected")

_FILE = "review.json"


@dataclass(frozen=True)
class ReviewDecision:
    """The decision on one case.

    Args:
        state: Unseen, accepted as it is, corrected, or rejected.
        note: A remark.
        reviewer: Name that the person has typed; None if there is none.
        time: When it was decided, ISO 8601 in UTC; None if nobody has.
        version: The version of the mask that was reviewed.
    """

    state: ReviewState = "unseen"
    note: str = ""
    reviewer: str | None = None
    time: str | None = None
    version: int | None = None


def read_decision(case: Path) -> ReviewDecision:
    """The decision on a case; unseen if there is none."""
    try:
        content = json.loads((case / REVIEW_FOLDER / _FILE).read_bytes())
        decision = ReviewDecision(**content)
        return decision if decision.state in STATES else ReviewDecision()
    except (OSError, ValueError, TypeError):
        return ReviewDecision()


def write_decision(
    case: Path,
    state: str,
    *,
    note: str = "",
    reviewer: str | None = None,
    version: int | None = None,
) -> ReviewDecision:
    """Record a decision on a case, or rather on a version of its mask; None: the newest one that can be meant.

    Raises:
        ConfigError: There is no such state, or nobody has corrected the version.
        ScanError: The file cannot be written.
    """
    known = next((each for each in STATES if each == state), None)
    if known is None:
        raise ConfigError(
            f"the state of a review is not known; expected {', '.join(STATES)}. Choose one of these."
        )
    reviewed = [each for each in MaskVersions(case).all() if version in (None, each.version)]
    if known == "corrected" and reviewed:
        reviewed = [each for each in reviewed if not _is_networks(each)]
        if not reviewed:
            raise ConfigError(
                "the mask is that of the network; expected a corrected version. Correct it first, or accept it."
            )
    version = reviewed[-1].version if reviewed else version
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    decision = ReviewDecision(known, note, reviewer, now, version)
    write_json_file(case / REVIEW_FOLDER / _FILE, asdict(decision), "review")
    return decision


def _is_networks(version: MaskVersion) -> bool:
    """Whether it is a mask of this program; whether somebody has corrected one of another program is not known."""
    return version.kind == "automatic" and version.made is None
