"""Measurements, quality flags, preview and report of a mask, without torch and without the scan's file."""

from typing import TYPE_CHECKING, Any

from rma_mamba.deprecation import renamed_attributes
from rma_mamba.lazy_attributes import lazy_attributes
from rma_mamba.reporting.expected_volume import PatientSize
from rma_mamba.reporting.measure import Face, Measurements, measure
from rma_mamba.reporting.quality import Flag, Quality
from rma_mamba.reporting.quality_checks import assess
from rma_mamba.reporting.quantities import Quantities, quantify, write_csv, write_json

if TYPE_CHECKING:
    from rma_mamba.reporting.preview import write_preview

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
    _renamed = renamed_attributes(__name__, {"Body": "PatientSize"})
    _lazy = lazy_attributes(__name__, {"write_preview": "preview"})  # imports Pillow

    def __getattr__(name: str) -> Any:
        return (_lazy if name == "write_preview" else _renamed)(name)
