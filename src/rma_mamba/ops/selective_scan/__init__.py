"""The selective scan (Mamba's S6) of sequences and, in four directions, of feature maps (VMamba's SS2D).

| module | content |
|---|---|
| `functional` | the public functions |
| `arguments` | `ScanArgs`, `CrossScanArgs` and their checks |
| `custom_ops` | autograd and `torch.compile`, registered once for every backend |
| `backend` | the functions that a backend module provides |
| `reference` | the recurrence, step by step; the other backends are tested against it |
| `numba_cpu`, `numba_kernels`, `numba_lanes` | CPU backend |
| `triton_gpu`, `triton_kernels` | GPU backend |
"""

from rma_mamba.ops.selective_scan.functional import cross_selective_scan, scan_2d, selective_scan

__all__ = ["cross_selective_scan", "scan_2d", "selective_scan"]
