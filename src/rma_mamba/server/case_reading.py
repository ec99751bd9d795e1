"""How the scan of a case is read, by all tasks of worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.volume import Volume


def reading_options(case: dict[str, Any]) -> ReadOptions:
    """How the scan of a case is read."""
    return ReadOptions(series=case.get("series"), volume="all" if case["volume"] else None)


def read_case_scan(case: dict[str, Any]) -> Volume:
    """The scan of a case, from its own files.

    Raises:
        ScanError, GridError: It cannot be read, or is not known.
    """
    if case["scan"] is None:
        raise ScanError(
            "the scan of the case was not found; expected it in the folder of the scans. "
            "Start the server with the folder of the scans, and --results."
        )
    return reading_options(case).read(Path(case["scan"]), case["volume"], any_study=True)
