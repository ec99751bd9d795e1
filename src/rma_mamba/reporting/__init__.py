"""What a mask says, in numbers and in pictures; needs neither torch nor the scan's file."""

from rma_mamba.reporting.measure import Face, Measurements, measure
from rma_mamba.reporting.preview import write_preview
from rma_mamba.reporting.quality import Flag, Quality, assess

__all__ = ["Face", "Flag", "Measurements", "Quality", "assess", "measure", "write_preview"]
