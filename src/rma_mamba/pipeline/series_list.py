"""The list of DICOM series in a path, marked as `segment` would choose them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rma_mamba.errors import RmaMambaError
from rma_mamba.pipeline.discovery import Case, search
from rma_mamba.pipeline.messages import Messages, NoMessages
from rma_mamba.scans import list_series
from rma_mamba.scans.dicom_series import SeriesInfo


def list_chosen_series(path: Path, messages: Messages | None = None) -> list[SeriesInfo]:
    """All series in a path; in a cohort, the series of each case is marked.

    Args:
        path: As for `segment`.
        messages: Receives what else `segment` finds there.

    Raises:
        ScanError: The path contains no DICOM files, or can be read in two ways.
        ConfigError: Two cases would share an output folder.
    """
    messages = messages or NoMessages()
    found = search(path)
    series = list_series(path)
    messages.warn(found.warnings)
    if found.cases is None:
        return series
    reasons = _reasons(found.cases)
    messages.note(
        f"The folder is a cohort of {len(found.cases)} cases: * marks the series of each DICOM case."
    )
    return [
        replace(
            each,
            chosen=each.uid in reasons,
            reason=reasons.get(each.uid) or each.reason.replace(": select one", ""),
        )
        for each in series
    ]


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
