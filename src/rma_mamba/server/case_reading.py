"""How the scan of a case is read, by all tasks of worker processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.mask_versions import MaskVersion
from rma_mamba.pipeline.review.result_scans import reading_of_result
from rma_mamba.pipeline.review.version_scans import scan_of_version
from rma_mamba.volume import Volume


def reading_options(case: dict[str, Any]) -> ReadOptions:
    """How the scan of a case is read to segment it: as its last run has read it, or as was chosen on the page."""
    stated = reading_of_result(Path(case["folder"]))
    return replace(
        stated,
        series=case["series"] or stated.series,
        volume="all" if case["volume"] else stated.volume,
    )


def read_case_scan(case: dict[str, Any], version: MaskVersion | None = None) -> Volume:
    """The scan of a case, from its own files: the one on which a version was made, or that of the last run.

    Raises:
        ScanError, GridError: It cannot be read, or is not known.
    """
    if case["scan"] is None:
        raise ScanError(
            "the scan of the case was not found; expected it in the folder of the scans. "
            "Start the server with --scans FOLDER."
        )
    found = scan_of_version(
        Path(case["folder"]),
        version,
        [Case(Path(case["scan"]), case["name"], case["volume"])],
        series=case["series"],
        mask=Path(case["mask"]) if case["mask"] else None,
    )
    return found.volume
