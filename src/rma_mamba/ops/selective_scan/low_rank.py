"""Cross scans by way of plain scans: the step sizes are computed by a matrix product and stored in full."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs


def _expand(args: CrossScanArgs) -> tuple[Tensor, ScanArgs]:
    """The low-rank steps (direction, position, rank) and the equivalent plain scan, in the dtype of the gates."""
    states = args.A.shape[2]
    steps, B, C = torch.split(args.gates, [args.rank, states, states], dim=-1)
    batch, height, width, directions, _ = args.gates.shape
    steps = steps.flatten(0, 2).transpose(0, 1)
    delta = torch.bmm(steps, args.delta_weight.to(args.gates.dtype).mT)
    delta = delta.view(directions, batch, height, width, -1)
    return steps, ScanArgs(args.u, delta, args.A, B, C, args.D, args.delta_bias, True)


def cross_forward(
    forward: Callable[[ScanArgs, bool], tuple[Tensor, Tensor]],
    args: CrossScanArgs,
    save_states: bool,
) -> tuple[Tensor, Tensor]:
    """Forward pass of a cross scan, given a backend's `forward`."""
    _, scan = _expand(args)
    return forward(scan, save_states)


def cross_backward(
    backward: Callable[[ScanArgs, Tensor, Tensor], tuple[Tensor, ...]],
    args: CrossScanArgs,
    grad_y: Tensor,
    saved: Tensor,
) -> tuple[Tensor, ...]:
    """Backward pass of a cross scan, given a backend's `backward`: a gradient for each field of the arguments."""
    steps, scan = _expand(args)
    gates, weight = args.gates, args.delta_weight
    gu, gdelta, gA, gB, gC, gD, gbias = backward(scan, grad_y, saved)
    gdelta = gdelta.flatten(1, 3)  # (direction, position, channel)
    gsteps = torch.bmm(gdelta, weight.to(gdelta.dtype)).transpose(0, 1)
    gweight = torch.bmm(gdelta.mT, steps.to(gdelta.dtype)).to(weight.dtype)
    gsteps = gsteps.view(*gates.shape[:4], -1)
    ggates = torch.cat([gsteps, gB.to(gsteps.dtype), gC.to(gsteps.dtype)], dim=-1)
    return gu, ggates.to(gates.dtype), gweight, gA, gD, gbias
