"""The list of DICOM series in a path, marked as `segment` would choose them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case, search
from rma_mamba.scans import list_series
from rma_mamba.scans.dicom_series import SeriesInfo


def list_chosen_series(path: Path) -> tuple[list[SeriesInfo], tuple[str, ...]]:
    """All series in a path, and remarks on what else `segment` finds there, one sentence each.

    In a cohort, the series of each case is marked.

    Raises:
        ScanError: The path contains no DICOM files, or can be read in two ways.
        ConfigError: Two cases would share an output folder.
    """
    found = search(path)
    series = list_series(path)
    if found.cases is None:
        return series, found.warnings
    reasons = _reasons(found.cases)
    marked = [
        replace(
            each,
            chosen=each.uid in reasons,
            reason=reasons.get(each.uid) or each.reason.replace(": select one", ""),
        )
        for each in series
    ]
    remark = f"The folder is a cohort of {len(found.cases)} cases: * marks the series of each DICOM case."
    return marked, (*found.warnings, remark)


def _reasons(cases: list[Case]) -> dict[str, str]:
    """Why the series of each DICOM case is chosen, by UID."""
    reasons = {}
    for case in cases:
        with suppress(RmaMambaError):  # the case is not DICOM, or will fail
            if case.scan.is_dir():
                for each in list_series(case.scan, any_study=True):
                    if each.chosen:
                        reasons[each.uid] = each.reason
    return reasons
