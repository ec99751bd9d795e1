"""CPU backend: converts tensors to the arrays of `numba_kernels` and distributes tasks over threads.

The kernels release the GIL, so they need no threading layer of numba (see `threads`), and any number of Python
threads may call them at once. Users need no compiler, and nothing is copied into scan order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rma_mamba.ops.selective_scan import gradients, low_rank
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from rma_mamba.ops.selective_scan.gradients import KernelGradients
from rma_mamba.ops.selective_scan.numba_kernels import (
    CHUNK,
    GradientArrays,
    Layout,
    ScanArrays,
    backward_task,
    backward_workspace,
    forward_task,
    forward_workspace,
)
from rma_mamba.ops.selective_scan.numba_lanes import WIDTH
from rma_mamba.ops.selective_scan.threads import run_tasks

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
    return batch, directions, -(-height * width // _segment(states)), states, _whole(channels)


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
    batch, height, width, _ = u.shape
    channels = arrays.u.shape[2]
    y = torch.empty(batch, height * width, channels, dtype=_storage_dtype(u))
    shape = saved_shape(u.shape, args.A.shape)
    saved = torch.empty(shape if save_states else (0,) * len(shape))
    block = _block(channels, batch)
    layout = Layout(softplus, height, width, block, _segment(states) if save_states else 0)
    outputs = _numpy(y), saved.numpy()
    floats = forward_workspace(layout, height * width, arrays.steps.shape[3], states)
    run_tasks(
        lambda task: forward_task(arrays, layout, task, *outputs, *_memory(floats)),
        batch * -(-channels // block),
    )
    y = y[..., : u.shape[3]].contiguous().view(u.shape).to(u.dtype)
    return y, saved if save_states else saved.view(0)


def _run_backward(
    arrays: ScanArrays,
    args: ScanArgs | CrossScanArgs,
    grad_y: Tensor,
    saved: Tensor,
    softplus: bool,
) -> KernelGradients:
    dtype = _storage_dtype(args.u)
    batch, height, width, wanted = args.u.shape
    channels = arrays.u.shape[2]
    directions, _, states = args.A.shape
    length, rank = height * width, arrays.steps.shape[3]
    block = _block(channels, batch)
    blocks = -(-channels // block)
    layout = Layout(softplus, height, width, block, _segment(states))
    gy = _array(_padded(grad_y), (batch, length, channels), dtype)
    gu = torch.empty(batch, length, channels)
    gdelta = torch.empty(arrays.delta.shape, dtype=dtype)
    gates = torch.empty(blocks, batch, length, directions, rank + 2 * states)
    gweight, gA = (torch.empty(batch, directions, rows, channels) for rows in (rank, states))
    gD, gbias = (torch.empty(batch, directions, channels) for _ in range(2))
    parts = torch.split(gates, [rank, states, states], -1)
    grads = GradientArrays(*map(_numpy, (gu, gdelta, *parts, gweight, gA, gD, gbias)))
    states_before = saved.detach().numpy()
    floats = backward_workspace(layout, length, rank, states)
    run_tasks(
        lambda task: backward_task(
            arrays, layout, task, gy, states_before, grads, *_memory(floats)
        ),
        batch * blocks,
    )
    ggates = gates.sum(0)
    found = (each.sum(0)[..., :wanted] for each in (gweight, gA, gD, gbias))
    gweight, gA, gD, gbias = found
    return KernelGradients(
        gu[..., :wanted], gdelta[..., :wanted], ggates, gweight.mT, gA.mT, gD, gbias
    )


def _memory(floats: int) -> tuple[Any, Any]:
    """Memory of one task: intermediate values, at the start of a cache line, and positions."""
    return torch.empty(floats).numpy(), np.empty(CHUNK, np.int64)


def _scan_arrays(args: ScanArgs) -> ScanArrays:
    """Arrays of a scan whose step sizes are stored in full."""
    u, A = args.u, args.A
    batch, height, width, channels = u.shape
    directions, _, states = A.shape
    length, dtype, channels = height * width, _storage_dtype(u), _whole(channels)
    gate = (batch, length, directions, states)
    return ScanArrays(
        u=_array(_padded(u), (batch, length, channels), dtype),
        delta=_array(_padded(args.delta), (directions, batch, length, channels), dtype),
        steps=_array(u.new_empty(0), (batch, length, directions, 0), dtype),
        weight=_array(u.new_empty(0), (directions, 0, channels)),
        A=_array(_padded(A.mT), (directions, states, channels)),
        B=_array(args.B, gate, dtype),
        C=_array(args.C, gate, dtype),
        D=_array(_padded(args.D), (directions, channels)),
        bias=_array(_padded(args.delta_bias), (directions, channels)),
    )


def _cross_scan_arrays(args: CrossScanArgs) -> ScanArrays:
    """Arrays of a scan whose step sizes the kernel computes: steps times weight, then softplus."""
    u, A, rank = args.u, args.A, args.rank
    batch, height, width, channels = u.shape
    directions, _, states = A.shape
    length, dtype, channels = height * width, _storage_dtype(u), _whole(channels)
    gates = _array(args.gates, (batch, length, directions, rank + 2 * states), dtype)
    return ScanArrays(
        u=_array(_padded(u), (batch, length, channels), dtype),
        delta=_array(u.new_empty(0), (directions, batch, length, 0), dtype),
        steps=gates[..., :rank],
        weight=_array(_padded(args.delta_weight.mT), (directions, rank, channels)),
        A=_array(_padded(A.mT), (directions, states, channels)),
        B=gates[..., rank : rank + states],
        C=gates[..., rank + states :],
        D=_array(_padded(args.D), (directions, channels)),
        bias=_array(_padded(args.delta_bias), (directions, channels)),
    )


def _whole(channels: int) -> int:
    """Channels of the kernels: a multiple of their vectors."""
    return -(-channels // WIDTH) * WIDTH


def _padded(tensor: Tensor) -> Tensor:
    """A tensor whose last axis are channels, with as many zeros as the kernels need; they stay zero."""
    missing = -tensor.shape[-1] % WIDTH
    return functional.pad(tensor, (0, missing)) if missing else tensor


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
    for block in range(LARGEST_BLOCK, 0, -WIDTH):
        if channels % block == 0 and batch * channels // block % 2 == 0:
            return block
    return BLOCK


def _segment(states: int) -> int:
    """Steps between two states that are saved for the backward pass."""
    return max(1, SEGMENT // states)
