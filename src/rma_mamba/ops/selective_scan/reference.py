"""The equation of the selective scan and its derivative, step by step; every backend is judged by it.

h[t] = exp(Δ[t]·A)·h[t-1] + Δ[t]·B[t]·u[t];  y[t] = C[t]·h[t] + D·u[t]   (arXiv:2312.00752, Alg. 2), walked over a
map in one to four directions whose results are added (arXiv:2401.10166, SS2D). Shapes are those of
`rma_mamba.ops.selective_scan.scan_2d`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.ops.selective_scan import gradients, low_rank


def walk(direction: int, height: int, width: int) -> Tensor:
    """Row-major positions in the order of a direction: rows, columns, and each of them backwards."""
    positions = torch.arange(height * width).view(height, width)
    order = positions.T.flatten() if direction % 2 else positions.flatten()
    return order.flip(0) if direction >= 2 else order


def _widened(*inputs: Tensor) -> list[Tensor]:
    """Half precision becomes float32, in which states and sums are kept."""
    return [x.float() if x.dtype in (torch.bfloat16, torch.float16) else x for x in inputs]


def kept_shape(u: tuple[int, ...], A: tuple[int, ...]) -> tuple[int, ...]:
    """Of what the backward pass sees again, for shapes of u and A."""
    return (0,)


def forward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    softplus: bool,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """y (batch, height, width, channel): the scans of all directions, added. Nothing is kept."""
    batch, height, width, channels = u.shape
    dtype = u.dtype
    u, delta, A, B, C, D, bias = _widened(u, delta, A, B, C, D, bias)
    u, delta, B, C = u.flatten(1, 2), delta.flatten(2, 3), B.flatten(1, 2), C.flatten(1, 2)
    y = torch.zeros_like(u)
    for k in range(delta.shape[0]):
        h = u.new_zeros(batch, channels, A.shape[2])
        for t in walk(k, height, width).tolist():
            step = delta[k, :, t] + bias[k]
            step = functional.softplus(step) if softplus else step
            gain = torch.exp(step[:, :, None] * A[k])
            h = gain * h + (step * u[:, t])[:, :, None] * B[:, t, k, None, :]
            y[:, t] += (h * C[:, t, k, None, :]).sum(-1) + D[k] * u[:, t]
    nothing = u.new_empty(kept_shape(u.shape, A.shape), dtype=torch.float32)
    return y.view(batch, height, width, channels).to(dtype), nothing


def backward(
    grad_y: Tensor,
    kept: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    softplus: bool,
) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D and bias, in their shapes."""
    inputs = (u, delta, A, B, C, D, bias)
    batch, height, width, channels = u.shape
    grad_y, u, delta, A, B, C, D, bias = _widened(grad_y, *inputs)
    gy, u, delta = grad_y.flatten(1, 2), u.flatten(1, 2), delta.flatten(2, 3)
    B, C = B.flatten(1, 2), C.flatten(1, 2)
    gu, gdelta, gA, gB, gC, gD, gbias = (torch.zeros_like(x) for x in (u, delta, A, B, C, D, bias))
    for k in range(delta.shape[0]):
        order = walk(k, height, width).tolist()
        raw = delta[k] + bias[k]
        steps = functional.softplus(raw) if softplus else raw
        slope = torch.sigmoid(raw) if softplus else torch.ones_like(raw)
        states = [u.new_zeros(batch, channels, A.shape[2])]
        for t in order:
            step = steps[:, t, :, None]
            states.append(
                torch.exp(step * A[k]) * states[-1] + step * u[:, t, :, None] * B[:, t, k, None]
            )
        carry = torch.zeros_like(states[0])
        for i in reversed(range(len(order))):
            t, step = order[i], steps[:, order[i], :, None]
            gain = torch.exp(step * A[k])
            gh = carry + gy[:, t, :, None] * C[:, t, k, None]
            pull = gh * gain * states[i]
            gC[:, t, k] = (gy[:, t, :, None] * states[i + 1]).sum(1)
            gB[:, t, k] = (gh * step * u[:, t, :, None]).sum(1)
            along_B = (gh * B[:, t, k, None]).sum(-1)
            gu[:, t] += along_B * steps[:, t] + D[k] * gy[:, t]
            gA[k] += (pull * step).sum(0)
            gdelta[k, :, t] = ((pull * A[k]).sum(-1) + along_B * u[:, t]) * slope[:, t]
            carry = gh * gain
        gD[k], gbias[k] = (gy * u).sum((0, 1)), gdelta[k].sum((0, 1))
    grads = (gu, gdelta, gA, gB, gC, gD, gbias)
    return gradients.like(grads, inputs)


def cross_forward(
    u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor, keep: bool
) -> tuple[Tensor, Tensor]:
    """y (batch, height, width, channel): step sizes of low rank, then the scans of all directions, added."""
    gates, weight = _widened(gates, weight)
    return low_rank.cross_forward(forward, u, gates, weight, A, D, bias, keep)


def cross_backward(
    grad_y: Tensor,
    kept: Tensor,
    u: Tensor,
    gates: Tensor,
    weight: Tensor,
    A: Tensor,
    D: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of u, gates, weight, A, D and bias, in their shapes."""
    wide_gates, wide_weight = _widened(gates, weight)
    gu, ggates, gweight, gA, gD, gbias = low_rank.cross_backward(
        backward, grad_y, kept, u, wide_gates, wide_weight, A, D, bias
    )
    return gu, ggates.to(gates.dtype), gweight.to(weight.dtype), gA, gD, gbias
