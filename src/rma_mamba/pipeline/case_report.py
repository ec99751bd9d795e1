"""The HTML and PDF reports on one case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.pipeline.case_result import CaseResult

if TYPE_CHECKING:
    from rma_mamba.reporting.report import Report


def write_html_report(result: CaseResult, path: Path) -> None:
    """Write the report as one HTML file."""
    from rma_mamba.reporting.report_html import write_html

    write_html(_report(result), path)


def write_pdf_report(result: CaseResult, path: Path) -> None:
    """Write the report as PDF, which requires matplotlib."""
    from rma_mamba.reporting.report_pdf import write_pdf

    write_pdf(_report(result), path)


def _report(result: CaseResult) -> Report:
    from rma_mamba.reporting.report import Report

    segmentation, quantities = result.segmentation, result.quantities
    statistics = {
        name: value
        for name, value in quantities.record.items()
        if _is_shown(name, value, has_nodularity=bool(quantities.nodularity_ratio))
    } | {
        "touches_border": list(segmentation.measurements.touches_border),
        "grid_voxels": list(segmentation.mask.geometry.shape),
    }
    return Report(segmentation.scan, segmentation.mask, result.notes, statistics, result.run)


def _is_shown(name: str, value: float | None, *, has_nodularity: bool) -> bool:
    """False for cut-off areas of zero, and for the smoothing lengths of an undefined nodularity."""
    if name.startswith("cut_"):
        return bool(value)
    return has_nodularity or not name.startswith("nodularity_")
