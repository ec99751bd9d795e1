"""The search for scans in a folder, as a task of worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case, case_name, search, split_volumes
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.scans import list_series

_SPLIT_UP_TO = 20  # cases; to count the volumes of each scan in a large cohort would take long


def list_cases(report: Progress, *, path: str, results: str | None = None) -> dict[str, Any]:
    """The scans in a path, and warnings about what was skipped; each volume of a 4-D scan is a case."""
    root = Path(path)
    found = search(root, results)
    cases = [Case(root, case_name(root))] if found.cases is None else found.cases
    series = _count_series(root) if found.cases is None else 0
    if len(cases) <= _SPLIT_UP_TO:
        cases = [volume for case in cases for volume in split_volumes(case)]
    return {
        "cases": [case_as_json(each) for each in cases],
        "warnings": list(found.warnings),
        "series": series,
    }


def case_as_json(case: Case) -> dict[str, Any]:
    """A case as the server keeps it."""
    return {"scan": str(case.scan), "name": case.name, "volume": case.volume}


def _count_series(path: Path) -> int:
    """Number of the DICOM series in a path; 0 for other formats."""
    try:
        return len(list_series(path, any_study=True))
    except RmaMambaError:
        return 0
