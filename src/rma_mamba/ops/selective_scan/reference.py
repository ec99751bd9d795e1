"""The recurrence of the selective scan and its derivative, step by step; every backend is tested against it.

h[t] = exp(Δ[t]·A)·h[t-1] + Δ[t]·B[t]·u[t];  y[t] = C[t]·h[t] + D·u[t]   (arXiv:2312.00752, Alg. 2), over a feature
map in one to four directions whose results are summed (SS2D, arXiv:2401.10166).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.ops.selective_scan import low_rank
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.gradients import match_inputs


def scan_order(direction: int, height: int, width: int) -> Tensor:
    """Row-major positions in the order of a direction: rows, columns, and the reverse of each."""
    positions = torch.arange(height * width).view(height, width)
    order = positions.T.flatten() if direction % 2 else positions.flatten()
    return order.flip(0) if direction >= 2 else order


def saved_shape(u: tuple[int, ...], A: tuple[int, ...], /) -> tuple[int, ...]:
    """Shape of the saved states: none, since the backward pass recomputes them."""
    return (0,)


def forward(args: ScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
    """y (batch, height, width, channel), the sum of all directions, and no saved states."""
    batch, height, width, channels = args.u.shape
    u, delta, A, B, C, D, bias = map(_upcast, args.tensors)
    u, delta, B, C = u.flatten(1, 2), delta.flatten(2, 3), B.flatten(1, 2), C.flatten(1, 2)
    y = torch.zeros_like(u)
    for k in range(delta.shape[0]):
        h = u.new_zeros(batch, channels, A.shape[2])
        for t in scan_order(k, height, width).tolist():
            step = delta[k, :, t] + bias[k]
            step = functional.softplus(step) if args.delta_softplus else step
            decay = torch.exp(step[:, :, None] * A[k])
            h = decay * h + (step * u[:, t])[:, :, None] * B[:, t, k, None, :]
            y[:, t] += (h * C[:, t, k, None, :]).sum(-1) + D[k] * u[:, t]
    saved = u.new_empty(saved_shape(u.shape, A.shape), dtype=torch.float32)
    return y.view(batch, height, width, channels).to(args.u.dtype), saved


def backward(args: ScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D and delta_bias."""
    batch, height, width, channels = args.u.shape
    u, delta, A, B, C, D, bias = map(_upcast, args.tensors)
    gy, u, delta = _upcast(grad_y).flatten(1, 2), u.flatten(1, 2), delta.flatten(2, 3)
    B, C = B.flatten(1, 2), C.flatten(1, 2)
    gu, gdelta, gA, gB, gC, gD, gbias = (torch.zeros_like(x) for x in (u, delta, A, B, C, D, bias))
    for k in range(delta.shape[0]):
        order = scan_order(k, height, width).tolist()
        raw = delta[k] + bias[k]
        steps = functional.softplus(raw) if args.delta_softplus else raw
        slope = torch.sigmoid(raw) if args.delta_softplus else torch.ones_like(raw)
        states = [u.new_zeros(batch, channels, A.shape[2])]
        for t in order:
            step = steps[:, t, :, None]
            states.append(
                torch.exp(step * A[k]) * states[-1] + step * u[:, t, :, None] * B[:, t, k, None]
            )
        carry = torch.zeros_like(states[0])
        for i in reversed(range(len(order))):
            t, step = order[i], steps[:, order[i], :, None]
            decay = torch.exp(step * A[k])
            gh = carry + gy[:, t, :, None] * C[:, t, k, None]
            gdecay = gh * decay * states[i]  # gradient of step * A
            gC[:, t, k] = (gy[:, t, :, None] * states[i + 1]).sum(1)
            gB[:, t, k] = (gh * step * u[:, t, :, None]).sum(1)
            ginput = (gh * B[:, t, k, None]).sum(-1)  # gradient of step * u
            gu[:, t] += ginput * steps[:, t] + D[k] * gy[:, t]
            gA[k] += (gdecay * step).sum(0)
            gdelta[k, :, t] = ((gdecay * A[k]).sum(-1) + ginput * u[:, t]) * slope[:, t]
            carry = gh * decay
        gD[k], gbias[k] = (gy * u).sum((0, 1)), gdelta[k].sum((0, 1))
    return match_inputs((gu, gdelta, gA, gB, gC, gD, gbias), args.tensors)


def cross_forward(args: CrossScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
    """y (batch, height, width, channel), the sum of all directions, and no saved states."""
    return low_rank.cross_forward(forward, _upcast_gates(args), save_states)


def cross_backward(args: CrossScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
    """Gradients of u, gates, delta_weight, A, D and delta_bias."""
    gu, ggates, gweight, gA, gD, gbias = low_rank.cross_backward(
        backward, _upcast_gates(args), grad_y, saved
    )
    return gu, ggates.to(args.gates.dtype), gweight.to(args.delta_weight.dtype), gA, gD, gbias


def _upcast(x: Tensor) -> Tensor:
    """Half precision becomes float32, the dtype of states and sums."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _upcast_gates(args: CrossScanArgs) -> CrossScanArgs:
    return args._replace(gates=_upcast(args.gates), delta_weight=_upcast(args.delta_weight))
