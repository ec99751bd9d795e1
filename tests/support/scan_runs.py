"""Outputs and gradients of the scans on a backend."""

import torch
from torch import Tensor

from rma_mamba.ops import cross_selective_scan, scan_2d


def run(inputs: list[Tensor], backend: str, softplus: bool = True) -> tuple[Tensor, list[Tensor]]:
    """Output, and gradients of a random weighting of it."""
    leaves = [each.clone().requires_grad_() for each in inputs]
    y = scan_2d(*leaves, delta_softplus=softplus, backend=backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)).bfloat16()
    grads = torch.autograd.grad((y * weights.to(y.dtype)).sum(), leaves)
    return y.detach(), list(grads)


def run_cross(inputs: list[Tensor], backend: str) -> tuple[Tensor, list[Tensor]]:
    """The same of a cross scan."""
    leaves = [each.clone().requires_grad_() for each in inputs]
    y = cross_selective_scan(*leaves, backend=backend)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)).bfloat16()
    return y.detach(), list(torch.autograd.grad((y * weights.to(y.dtype)).sum(), leaves))
