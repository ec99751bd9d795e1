"""Measurements, quality flags, preview and report of a mask, without torch and without the scan's file."""

from typing import TYPE_CHECKING

from rma_mamba.deprecation import renamed_attributes
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

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "Body": "PatientSize",
        },
    )
