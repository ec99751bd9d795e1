"""CPU backend: converts tensors to the arrays of `numba_kernels` and distributes tasks over threads.

The kernels release the GIL, so they need no threading layer of numba (see `threads`), and any number of Python
threads may call them at once. Users need no compiler, and nothing is copied into scan order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from rma_mamba.ops.selective_scan import gradients, low_rank
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.gradients import KernelGradients
from rma_mamba.ops.selective_scan.numba_kernels import (
    GradientArrays,
    Layout,
    ScanArrays,
    backward_task,
    forward_task,
)
from rma_mamba.ops.selective_scan.threads import run_tasks

LANES: Final = 16  # float32 values in an AVX-512 register
BLOCK: Final = (
    64  # channels of a task if no even number of equal blocks exists; the last may be smaller
)
LARGEST_BLOCK: Final = (
    128  # channels of a task: more are faster as long as they fit into the L1 cache
)
MAX_RANK: Final = 16  # of step sizes computed in the kernel; above, a matrix product is faster
SEGMENT: Final = (
    256  # states of a channel that the backward pass holds at once: they fit into the L2 cache
)


def saved_shape(u: tuple[int, ...], A: tuple[int, ...], /) -> tuple[int, ...]:
    """Shape (batch, direction, segment, state, channel) of the saved states."""
    (batch, height, width, channels), (directions, _, states) = u, A
    return batch, directions, -(-height * width // _segment(states)), states, channels


def forward(args: ScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
    """y in the dtype of u, and the saved states; states are float32 in any case."""
    arrays = _scan_arrays(args)
    return _run_forward(arrays, args, save_states, args.delta_softplus)


def backward(args: ScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C, D and delta_bias."""
    found = _run_backward(_scan_arrays(args), args, grad_y, saved, args.delta_softplus)
    return gradients.of_scan(found, args)


def cross_forward(args: CrossScanArgs, save_states: bool, /) -> tuple[Tensor, Tensor]:
    """As `forward`, with low-rank step sizes."""
    if args.rank > MAX_RANK:
        return low_rank.cross_forward(forward, args, save_states)
    return _run_forward(_cross_scan_arrays(args), args, save_states, softplus=True)


def cross_backward(args: CrossScanArgs, grad_y: Tensor, saved: Tensor, /) -> tuple[Tensor, ...]:
    """Gradients of u, gates, delta_weight, A, D and delta_bias."""
    if args.rank > MAX_RANK:
        return low_rank.cross_backward(backward, args, grad_y, saved)
    found = _run_backward(_cross_scan_arrays(args), args, grad_y, saved, softplus=True)
    return gradients.of_cross_scan(found, args)


def _run_forward(
    arrays: ScanArrays, args: ScanArgs | CrossScanArgs, save_states: bool, softplus: bool
) -> tuple[Tensor, Tensor]:
    u, states = args.u, args.A.shape[2]
    batch, height, width, channels = u.shape
    y = torch.empty(batch, height * width, channels, dtype=_storage_dtype(u))
    shape = saved_shape(u.shape, args.A.shape)
    saved = torch.empty(shape if save_states else (0,) * len(shape))
    block = _block(channels, batch)
    layout = Layout(softplus, height, width, block, _segment(states) if save_states else 0)
    outputs = _numpy(y), saved.numpy()
    run_tasks(
        lambda task: forward_task(arrays, layout, task, *outputs), batch * -(-channels // block)
    )
    return y.view(u.shape).to(u.dtype), saved if save_states else saved.view(0)


def _run_backward(
    arrays: ScanArrays,
    args: ScanArgs | CrossScanArgs,
    grad_y: Tensor,
    saved: Tensor,
    softplus: bool,
) -> KernelGradients:
    dtype = _storage_dtype(args.u)
    batch, height, width, channels = args.u.shape
    directions, _, states = args.A.shape
    length, rank = height * width, arrays.steps.shape[3]
    block = _block(channels, batch)
    blocks = -(-channels // block)
    layout = Layout(softplus, height, width, block, _segment(states))
    gy = _array(grad_y, (batch, length, channels), dtype)
    gu = torch.empty(batch, length, channels)
    gdelta = torch.empty(arrays.delta.shape, dtype=dtype)
    gates = torch.empty(blocks, batch, length, directions, rank + 2 * states)
    gweight, gA = (torch.empty(batch, directions, rows, channels) for rows in (rank, states))
    gD, gbias = (torch.empty(batch, directions, channels) for _ in range(2))
    parts = torch.split(gates, [rank, states, states], -1)
    grads = GradientArrays(*map(_numpy, (gu, gdelta, *parts, gweight, gA, gD, gbias)))
    states_before = saved.detach().numpy()
    run_tasks(
        lambda task: backward_task(arrays, layout, task, gy, states_before, grads), batch * blocks
    )
    return KernelGradients(
        gu, gdelta, gates.sum(0), gweight.sum(0).mT, gA.sum(0).mT, gD.sum(0), gbias.sum(0)
    )


def _scan_arrays(args: ScanArgs) -> ScanArrays:
    """Arrays of a scan whose step sizes are stored in full."""
    u, A = args.u, args.A
    batch, height, width, channels = u.shape
    directions, _, states = A.shape
    length, dtype = height * width, _storage_dtype(u)
    gate = (batch, length, directions, states)
    return ScanArrays(
        u=_array(u, (batch, length, channels), dtype),
        delta=_array(args.delta, (directions, batch, length, channels), dtype),
        steps=_array(u.new_empty(0), (batch, length, directions, 0), dtype),
        weight=_array(u.new_empty(0), (directions, 0, channels)),
        A=_array(A.mT, (directions, states, channels)),
        B=_array(args.B, gate, dtype),
        C=_array(args.C, gate, dtype),
        D=_array(args.D, args.D.shape),
        bias=_array(args.delta_bias, args.delta_bias.shape),
    )


def _cross_scan_arrays(args: CrossScanArgs) -> ScanArrays:
    """Arrays of a scan whose step sizes the kernel computes: steps times weight, then softplus."""
    u, A, rank = args.u, args.A, args.rank
    batch, height, width, channels = u.shape
    directions, _, states = A.shape
    length, dtype = height * width, _storage_dtype(u)
    gates = _array(args.gates, (batch, length, directions, rank + 2 * states), dtype)
    return ScanArrays(
        u=_array(u, (batch, length, channels), dtype),
        delta=_array(u.new_empty(0), (directions, batch, length, 0), dtype),
        steps=gates[..., :rank],
        weight=_array(args.delta_weight.mT, (directions, rank, channels)),
        A=_array(A.mT, (directions, states, channels)),
        B=gates[..., rank : rank + states],
        C=gates[..., rank + states :],
        D=_array(args.D, args.D.shape),
        bias=_array(args.delta_bias, args.delta_bias.shape),
    )


def _array(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Any:
    """Contiguous NumPy view of a tensor (a copy if its dtype or layout differs); bfloat16 as its bits."""
    return _numpy(tensor.detach().to(dtype).contiguous().view(shape))


def _numpy(tensor: Tensor) -> Any:
    """NumPy view of a tensor; bfloat16 as its bits."""
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def _storage_dtype(u: Tensor) -> torch.dtype:
    """The dtype in which the kernels read and write large arrays: bfloat16 for bfloat16, else float32."""
    return torch.bfloat16 if u.dtype == torch.bfloat16 else torch.float32


def _block(channels: int, batch: int) -> int:
    """Channels of a task: the largest equal blocks that make an even number of tasks, for two threads to share."""
    for block in range(LARGEST_BLOCK, 0, -LANES):
        if channels % block == 0 and batch * channels // block % 2 == 0:
            return block
    return BLOCK


def _segment(states: int) -> int:
    """Steps between two states that are saved for the backward pass."""
    return max(1, SEGMENT // states)
