"""Measurements, quality flags, preview and report of a mask, without torch and without the scan's file."""

from typing import Any

from rma_mamba.deprecation import warn_renamed
from rma_mamba.reporting.expected_volume import PatientSize
from rma_mamba.reporting.measure import Face, Measurements, measure
from rma_mamba.reporting.preview import write_preview
from rma_mamba.reporting.quality import Flag, Quality
from rma_mamba.reporting.quality_checks import assess
from rma_mamba.reporting.quantities import Quantities, quantify, write_csv, write_json

__all__ = [
    "Face",
    "Flag",
    "Measurements",
    "PatientSize",
    "Quality",
    "Quantities",
    "assess",
    "measure",
    "quantify",
    "write_csv",
    "write_json",
    "write_preview",
]


def __getattr__(name: str) -> Any:
    """Deprecated names."""
    if name == "Body":
        warn_renamed("rma_mamba.reporting.Body", "rma_mamba.reporting.PatientSize")
        return PatientSize
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
