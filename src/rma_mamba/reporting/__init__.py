"""What a mask says, in numbers and in pictures; needs neither torch nor the scan's file."""

from rma_mamba.reporting.measure import Face, Measurements, measure
from rma_mamba.reporting.preview import write_preview

__all__ = ["Face", "Measurements", "measure", "write_preview"]
