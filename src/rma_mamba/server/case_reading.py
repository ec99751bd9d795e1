"""How the scan of a case is read, by all tasks of worker processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.result_scans import read_scan_of_result, reading_of_result
from rma_mamba.volume import Volume


def reading_options(case: dict[str, Any]) -> ReadOptions:
    """How the scan of a case is read to segment it: as its last run has read it, or as was chosen on the page."""
    stated = reading_of_result(Path(case["folder"]))
    return replace(
        stated,
        series=case["series"] or stated.series,
        volume="all" if case["volume"] else stated.volume,
    )


def read_case_scan(case: dict[str, Any]) -> Volume:
    """The scan of a case, from its own files.

    Raises:
        ScanError, GridError: It cannot be read, or is not known.
    """
    if case["scan"] is None:
        raise ScanError(
            "the scan of the case was not found; expected it in the folder of the scans. "
            "Start the server with --scans FOLDER."
        )
    return read_scan_of_result(
        Path(case["folder"]),
        Path(case["scan"]),
        volume=case["volume"],
        series=case["series"],
        mask=Path(case["mask"]) if case["mask"] else None,
    )
