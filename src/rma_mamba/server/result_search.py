"""The search for results of earlier runs and of other tools, as a task of worker processes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.pipeline.review.adopted_masks import adopt_as_it_is
from rma_mamba.pipeline.review.result_folders import Result, find_results
from rma_mamba.pipeline.review.result_scans import match_scans


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
