"""The DICOM series and volumes of a scan, as tasks of worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case, split_volumes
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.pipeline.review.mask_versions import MaskVersions
from rma_mamba.pipeline.review.result_scans import series_of_result
from rma_mamba.scans import list_series
from rma_mamba.server.case_search import case_as_json


def list_series_of_case(report: Progress, *, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The DICOM series in the scan of a case; `is_first` marks the one that the case itself is."""
    scan = Path(case["scan"])
    mask = Path(case["mask"]) if case["mask"] else None
    own = case["series"] or _own_series(Path(case["folder"]), scan, mask)
    try:
        rows = list_series(scan, any_study=True)
    except RmaMambaError:  # not DICOM
        return []
    return [
        {
            "number": each.number,
            "study": each.study,
            "uid": each.uid,
            "modality": each.modality,
            "description": each.description,
            "slices": each.images // max(1, each.volumes),
            "volumes": each.volumes,
            "orientation": each.orientation,
            "spacing_mm": each.spacing_mm,
            "can_open": each.is_scan,
            "is_mask": each.modality in ("SEG", "RTSTRUCT") and scan.is_dir(),
            "is_first": each.chosen if own is None else own in (each.uid, str(each.number)),
        }
        for each in rows
    ]


def _own_series(folder: Path, scan: Path, mask: Path | None) -> str | None:
    """The series of the newest version, as it was requested; of the last run if there is no version."""
    newest = MaskVersions(folder).newest
    if newest is not None and newest.scan is not None and newest.scan.input_sha256:
        return newest.scan.series
    return series_of_result(folder, scan, mask)


def list_volumes(report: Progress, *, path: str, name: str, series: str) -> list[dict[str, Any]]:
    """A series as a case; each of its volumes if it has several."""
    volumes = split_volumes(Case(Path(path), name), series)
    return [{**case_as_json(each), "series": series} for each in volumes]
