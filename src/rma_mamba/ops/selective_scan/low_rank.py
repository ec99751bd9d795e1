"""A cross scan out of a scan whose step sizes are given: they are made by a matrix product, and held in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def _made(gates: Tensor, weight: Tensor, states: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Steps (direction, position, rank), delta (direction, batch, height, width, channel), B and C."""
    rank = weight.shape[2]
    steps, B, C = torch.split(gates, [rank, states, states], dim=-1)
    batch, height, width, directions, _ = gates.shape
    steps = steps.flatten(0, 2).transpose(0, 1)
    delta = torch.bmm(steps, weight.to(gates.dtype).mT)
    return steps, delta.view(directions, batch, height, width, -1), B, C


def cross_forward(
    forward: Callable[..., tuple[Tensor, Tensor]],
    u: Tensor,
    gates: Tensor,
    weight: Tensor,
    A: Tensor,
    D: Tensor,
    bias: Tensor,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """y of a cross scan; `forward` is a backend's. The product is made in the gates' type."""
    _, delta, B, C = _made(gates, weight, A.shape[2])
    return forward(u, delta, A, B, C, D, bias, True, keep)


def cross_backward(
    backward: Callable[..., Any],
    grad_y: Tensor,
    kept: Tensor,
    u: Tensor,
    gates: Tensor,
    weight: Tensor,
    A: Tensor,
    D: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of u, gates, weight, A, D and bias, in their shapes; `backward` is a backend's."""
    steps, delta, B, C = _made(gates, weight, A.shape[2])
    gu, gdelta, gA, gB, gC, gD, gbias = backward(grad_y, kept, u, delta, A, B, C, D, bias, True)
    gdelta = gdelta.flatten(1, 3)  # (direction, position, channel)
    gsteps = torch.bmm(gdelta, weight.to(gdelta.dtype)).transpose(0, 1)
    gweight = torch.bmm(gdelta.mT, steps.to(gdelta.dtype)).to(weight.dtype)
    gsteps = gsteps.view(*gates.shape[:4], -1)
    ggates = torch.cat([gsteps, gB.to(gsteps.dtype), gC.to(gsteps.dtype)], dim=-1)
    return gu, ggates.to(gates.dtype), gweight, gA, gD, gbias
