"""Operators that PyTorch does not provide: a reference of each, and faster backends tested against it."""

from rma_mamba.ops.backends import available_backends
from rma_mamba.ops.selective_scan import cross_selective_scan, scan_2d, selective_scan

__all__ = ["available_backends", "cross_selective_scan", "scan_2d", "selective_scan"]
