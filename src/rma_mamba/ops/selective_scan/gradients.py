"""Gradients as the compiled kernels produce them, converted to the tuples that `backward` functions return."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs


class KernelGradients(NamedTuple):
    """Everything that a compiled backward pass computes for either kind of scan.

    Args:
        u: Gradient of the input.
        delta: Gradient of the step sizes; empty or unused for a cross scan.
        gates: Gradient of the low-rank step sizes (none for a plain scan), B and C, concatenated along the last axis.
        weight: Gradient of the projection to step sizes; empty for a plain scan.
        A: Gradient of the decay rates.
        D: Gradient of the skip weights.
        delta_bias: Gradient of the bias of the step sizes.
    """

    u: Tensor
    delta: Tensor
    gates: Tensor
    weight: Tensor
    A: Tensor
    D: Tensor
    delta_bias: Tensor


def match_inputs(grads: Iterable[Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Gradients with the shape and dtype of their inputs, contiguous as compiled graphs require."""
    pairs = zip(grads, inputs, strict=True)
    return tuple(grad.reshape(x.shape).to(x.dtype).contiguous() for grad, x in pairs)


def of_scan(grads: KernelGradients, args: ScanArgs) -> tuple[Tensor, ...]:
    """Gradients of the tensors of a scan, in order."""
    # Clone, because two results of an operator must not share memory.
    gB, gC = (each.clone() for each in torch.split(grads.gates, args.A.shape[2], -1))
    ordered = (grads.u, grads.delta, grads.A, gB, gC, grads.D, grads.delta_bias)
    return match_inputs(ordered, args.tensors)


def of_cross_scan(grads: KernelGradients, args: CrossScanArgs) -> tuple[Tensor, ...]:
    """Gradients of the tensors of a cross scan, in order."""
    ordered = (grads.u, grads.gates, grads.weight, grads.A, grads.D, grads.delta_bias)
    return match_inputs(ordered, args.tensors)
