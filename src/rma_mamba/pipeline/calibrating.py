"""Scans as measurements need them: with a modality, and CT in HU."""

from __future__ import annotations

from dataclasses import replace

from rma_mamba.slicing import detect_modality, has_lost_its_intercept, with_intercept
from rma_mamba.volume import Volume


def for_measuring(scan: Volume) -> Volume:
    """The scan with its modality, told from its values if need be, and in HU if it is CT as stored (+1024)."""
    if scan.modality == "MR":
        return scan
    if scan.modality is None and detect_modality(scan.values) == "CT":
        scan = replace(scan, modality="CT")
    if has_lost_its_intercept(scan.values):
        return with_intercept(scan)
    return scan
