"""The HTML and PDF reports on one case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.reporting.class_volumes import class_record
from rma_mamba.scans.checks import require_source_images
from rma_mamba.volume import Volume

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


def pdf_report(result: CaseResult, folder: Path) -> bytes:
    """The report as PDF, to be embedded in another file of a folder."""
    from rma_mamba.environment import load_matplotlib
    from rma_mamba.reporting.report_pdf import render_pdf

    load_matplotlib(folder)
    return render_pdf(_report(result))


def read_identity(scan: Volume) -> tuple[tuple[str, str], ...]:
    """Patient and accession number in the headers of a scan, for its report.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: A file of the scan cannot be opened again.
    """
    images = require_source_images(scan.source_images, "the option --identify")
    from rma_mamba.scans.dicom_source_headers import patient_identity

    return patient_identity(images)


def _report(result: CaseResult) -> Report:
    from rma_mamba.reporting.report import Report

    segmentation, quantities = result.segmentation, result.quantities
    statistics = {
        name: value
        for name, value in quantities.record.items()
        if _is_shown(name, value, has_nodularity=bool(quantities.nodularity_ratio))
    } | {
        **class_record(result.class_volumes),
        "touches_border": list(segmentation.measurements.touches_border),
        "grid_voxels": list(segmentation.mask.geometry.shape),
    }
    return Report(
        segmentation.scan,
        segmentation.mask,
        result.notes,
        statistics,
        result.run,
        result.identity,
    )


def _is_shown(name: str, value: float | None, *, has_nodularity: bool) -> bool:
    """False for cut-off areas of zero, and for the smoothing lengths of an undefined nodularity."""
    if name.startswith("cut_"):
        return bool(value)
    return has_nodularity or not name.startswith("nodularity_")
