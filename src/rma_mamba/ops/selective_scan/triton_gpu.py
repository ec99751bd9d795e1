"""GPU backend: allocates the outputs of `triton_kernels` and launches them. Nothing is compiled at install time."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from rma_mamba.ops.selective_scan import gradients
from rma_mamba.ops.selective_scan import triton_kernels as kernels
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.gradients import KernelGradients

POSITIONS = 64  # of a chunk
CHANNELS = 32  # of a block: 64 or 128 adjacent bytes, one or two sectors
_LANES = 128  # of a program that composes chunks


def saved_shape(u: tuple[int, ...], A: tuple[int, ...], /) -> tuple[int, ...]:
    """Shape of the saved states: none, since the backward pass recomputes them in parallel."""
    return (0,)


def forward(args: ScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
    """y in the dtype of u, and no saved states; states are float32 in any case."""
    return _run_forward(_scan_tensors(args))


def backward(args: ScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D and delta_bias."""
    return gradients.of_scan(_run_backward(_scan_tensors(args), grad_y), args)


def cross_forward(args: CrossScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
    """As `forward`, with low-rank step sizes."""
    return _run_forward(_cross_scan_tensors(args))


def cross_backward(args: CrossScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
    """Gradients of u, gates, delta_weight, A, D and delta_bias."""
    return gradients.of_cross_scan(_run_backward(_cross_scan_tensors(args), grad_y), args)


class _ScanTensors(NamedTuple):
    """Contiguous tensors of one call. The kernels read `delta` if the rank is 0, and `weight` if it is not.

    Args:
        u: (batch, height, width, channel).
        delta: (direction, batch, height, width, channel), or any tensor.
        gates: (batch, height, width, direction, rank + 2 * state).
        weight: (direction, channel, rank).
        A: (direction, channel, state), float32 like D and bias.
        D: (direction, channel).
        bias: (direction, channel).
        softplus: Apply softplus to the step sizes.
    """

    u: Tensor
    delta: Tensor
    gates: Tensor
    weight: Tensor
    A: Tensor
    D: Tensor
    bias: Tensor
    softplus: bool

    @property
    def chunks(self) -> int:
        """Chunks of positions."""
        return -(-self.u.shape[1] * self.u.shape[2] // POSITIONS)

    @property
    def blocks(self) -> int:
        """Blocks of channels."""
        return -(-self.u.shape[3] // CHANNELS)


def _scan_tensors(args: ScanArgs) -> _ScanTensors:
    """Tensors of a scan whose step sizes are stored in full."""
    gates = torch.cat([args.B, args.C], dim=-1)
    weight = args.u.new_empty(args.A.shape[0], args.u.shape[3], 0)
    A, D, bias = (each.float().contiguous() for each in (args.A, args.D, args.delta_bias))
    u, delta = args.u.contiguous(), args.delta.contiguous()
    return _ScanTensors(u, delta, gates, weight, A, D, bias, args.delta_softplus)


def _cross_scan_tensors(args: CrossScanArgs) -> _ScanTensors:
    """Tensors of a scan whose step sizes the kernels compute."""
    u, gates, weight = (each.contiguous() for each in (args.u, args.gates, args.delta_weight))
    A, D, bias = (each.float().contiguous() for each in (args.A, args.D, args.delta_bias))
    return _ScanTensors(u, u, gates, weight, A, D, bias, softplus=True)


def _run_forward(scan: _ScanTensors) -> tuple[Tensor, Tensor]:
    states, _ = _entering_states(scan, None)
    y = scan.A.new_empty(scan.u.shape)
    _launch(
        kernels.outputs, scan,
        scan.u, scan.delta, scan.gates, scan.weight, scan.A, scan.D, scan.bias, states, y,
    )  # fmt: skip
    return y.to(scan.u.dtype), y.new_empty(0)


def _run_backward(scan: _ScanTensors, grad_y: Tensor) -> KernelGradients:
    """Gradients in float32, except that of delta."""
    grad_y = grad_y.contiguous()
    batch, height, width, channels = scan.u.shape
    directions, _, states = scan.A.shape
    rank = scan.weight.shape[2]
    entering = _entering_states(scan, grad_y)
    new = scan.A.new_empty
    gu, gdelta = new(scan.u.shape), torch.empty_like(scan.delta)
    ggates = new(scan.blocks, batch, height * width, directions, rank + 2 * states)
    parts = (batch, scan.chunks, directions, channels)
    gweight, gA, gD, gbias = new(*parts, rank), new(*parts, states), new(parts), new(parts)
    _launch(
        kernels.gradients, scan,
        grad_y, scan.u, scan.delta, scan.gates, scan.weight, scan.A, scan.D, scan.bias, *entering,
        gu, gdelta, ggates, gweight, gA, gD, gbias,
    )  # fmt: skip
    summed = (each.sum((0, 1)) for each in (gweight, gA, gD, gbias))
    return KernelGradients(gu, gdelta, ggates.sum(0), *summed)


def _entering_states(scan: _ScanTensors, grad_y: Tensor | None) -> tuple[Tensor, Tensor]:
    """The state that enters each chunk: of the scan and, given a gradient, of the reverse scan."""
    batch, channels = scan.u.shape[0], scan.u.shape[3]
    directions, _, states = scan.A.shape
    rows = states * channels
    map_a, map_b, back_map_a, back_map_b = (
        scan.A.new_empty(batch, directions, scan.chunks, rows) for _ in range(4)
    )
    _launch(
        kernels.aggregate, scan,
        scan.u, scan.delta, scan.gates, scan.weight, scan.A, scan.bias,
        scan.u if grad_y is None else grad_y, map_a, map_b, back_map_a, back_map_b,
        BACK=grad_y is not None,
    )  # fmt: skip
    carry = kernels.carry[triton.cdiv(rows, _LANES), batch * directions]
    options = {"DIRECTIONS": directions, "LANES": _LANES}
    carry(map_a, map_b, scan.chunks, rows, BACK=False, **options)
    if grad_y is not None:
        carry(back_map_a, back_map_b, scan.chunks, rows, BACK=True, **options)
    return map_b, back_map_b


def _launch(kernel: Any, scan: _ScanTensors, *tensors: Tensor, **options: bool) -> None:
    """Run a kernel over chunks, blocks and images: rows first, then columns."""
    batch, height, width, channels = scan.u.shape
    directions, _, states = scan.A.shape
    for columns in (False, True)[: min(directions, 2)]:
        kernel[scan.chunks, scan.blocks, batch](
            *tensors,
            batch,
            height,
            width,
            channels,
            scan.chunks,
            COLUMNS=columns,
            RANK=scan.weight.shape[2],
            STATES=states,
            DIRECTIONS=directions,
            SOFTPLUS=scan.softplus,
            POSITIONS=POSITIONS,
            CHANNELS=CHANNELS,
            **options,
        )
