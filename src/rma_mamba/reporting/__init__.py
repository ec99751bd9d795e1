"""What a mask says, in numbers and in pictures; needs neither torch nor the scan's file."""

from rma_mamba.reporting.expected_volume import Body
from rma_mamba.reporting.measure import Face, Measurements, measure
from rma_mamba.reporting.preview import write_preview
from rma_mamba.reporting.quantities import Quantities, quantify, write_csv, write_json

__all__ = [
    "Body",
    "Face",
    "Measurements",
    "Quantities",
    "measure",
    "quantify",
    "write_csv",
    "write_json",
    "write_preview",
]
