"""The selective scan on a CPU: tensors to the arrays of `numba_kernels`, and tasks to threads.

Kernels release the GIL, so no threading layer has to be installed (`threads.py`), and any number of Python
threads may call at once. No compiler is needed on the user's machine, and nothing is copied into scan order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rma_mamba.ops.selective_scan import gradients, low_rank
from rma_mamba.ops.selective_scan.numba_kernels import backward_task, forward_task
from rma_mamba.ops.selective_scan.threads import run_tasks

LANES = 16  # of float32 in an AVX-512 register
BLOCK = 64  # channels of a task where no even number of equal blocks exists; the last one may be smaller
LARGEST_BLOCK = 128  # channels of a task: the more, the better, while they stay in the first cache
MOST_RANK = (
    16  # of step sizes made in the kernel; beyond, maps are small and a matrix product is faster
)
SEGMENT = (
    256  # states of a channel that the backward pass holds at a time: they stay in the second cache
)


def _array(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Any:
    """Contiguous NumPy view (or copy, for other types and layouts) of a tensor; bfloat16 as its bits."""
    return _numpy(tensor.detach().to(dtype).contiguous().view(shape))


def _numpy(plain: Tensor) -> Any:
    """View of a tensor as it lies in memory."""
    if plain.dtype == torch.bfloat16:
        return plain.view(torch.int16).numpy().view(np.uint16)
    return plain.numpy()


def _kept_type(u: Tensor) -> torch.dtype:
    """What the large arrays are read and written as: bfloat16 as it comes, all else as float32."""
    return torch.bfloat16 if u.dtype == torch.bfloat16 else torch.float32


def _block(channels: int, batch: int) -> int:
    """Channels of a task: equal blocks, as large as makes tasks an even number, so that two threads share them."""
    for block in range(LARGEST_BLOCK, 0, -LANES):
        if channels % block == 0 and batch * channels // block % 2 == 0:
            return block
    return BLOCK


def _segment(states: int) -> int:
    """Steps of a walk between two states that are kept for the backward pass."""
    return max(1, SEGMENT // states)


def kept_shape(u: tuple[int, ...], A: tuple[int, ...]) -> tuple[int, ...]:
    """Of the kept states, for shapes of u and A: (batch, direction, segment, state, channel)."""
    (batch, height, width, channels), (directions, _, states) = u, A
    return batch, directions, -(-height * width // _segment(states)), states, channels


@dataclass(frozen=True)
class _Scan:
    """The arrays of one call. Either `delta` holds the step sizes, or `steps` and `weight` make them.

    Args:
        sizes: batch, height, width, channels of u.
        dtype: What u, delta, steps, B and C are read as.
        arrays: u, delta, steps, weight, A, B, C, D, bias, as the kernels want them.
        softplus: Whether softplus makes step sizes positive.
    """

    sizes: tuple[int, int, int, int]
    dtype: torch.dtype
    arrays: tuple[Any, ...]
    softplus: bool

    @classmethod
    def of(
        cls,
        u: Tensor,
        A: Tensor,
        D: Tensor,
        bias: Tensor,
        softplus: bool,
        *,
        delta: Any,
        steps: Any,
        weight: Any,
        B: Any,
        C: Any,
    ) -> _Scan:
        """From tensors, and from what is an array already."""
        batch, height, width, channels = u.shape
        dtype = _kept_type(u)
        arrays = (
            _array(u, (batch, height * width, channels), dtype),
            delta,
            steps,
            weight,
            _array(A.mT, (A.shape[0], A.shape[2], channels)),
            B,
            C,
            _array(D, D.shape),
            _array(bias, bias.shape),
        )
        return cls((batch, height, width, channels), dtype, arrays, softplus)

    def forward(self, keep: bool) -> tuple[Tensor, Tensor]:
        """y (batch, height, width, channel) as u is read, and the states that the backward pass wants to be kept."""
        batch, height, width, channels = self.sizes
        A, block = self.arrays[4], _block(channels, batch)
        y = torch.empty(batch, height * width, channels, dtype=self.dtype)
        shape = kept_shape(self.sizes, (A.shape[0], channels, A.shape[1]))
        kept = torch.empty(shape if keep else (0,) * len(shape))
        outputs = _numpy(y), kept.numpy()
        segment = _segment(A.shape[1]) if keep else 0
        run_tasks(
            lambda task: forward_task(
                *self.arrays, self.softplus, height, width, block, segment, task, *outputs
            ),
            batch * -(-channels // block),
        )
        return y.view(self.sizes), kept if keep else kept.view(0)

    def backward(self, grad_y: Tensor, kept: Tensor) -> dict[str, Tensor]:
        """Gradients by the name of the input; of the gates, (batch, length, direction, rank + 2 states)."""
        batch, height, width, channels = self.sizes
        _, delta, steps, _, A, *_ = self.arrays
        (directions, states, _), length, rank = A.shape, height * width, steps.shape[3]
        block = _block(channels, batch)
        blocks = -(-channels // block)
        gy = _array(grad_y, (batch, length, channels), self.dtype)
        gu = torch.empty(batch, length, channels)
        gdelta = torch.empty(delta.shape, dtype=self.dtype)
        gates = torch.empty(blocks, batch, length, directions, rank + 2 * states)
        gweight, gA = (torch.empty(batch, directions, rows, channels) for rows in (rank, states))
        gD, gbias = (torch.empty(batch, directions, channels) for _ in range(2))
        outputs = [
            _numpy(each)
            for each in (
                gu,
                gdelta,
                *torch.split(gates, [rank, states, states], -1),
                gweight,
                gA,
                gD,
                gbias,
            )
        ]
        run_tasks(
            lambda task: backward_task(
                gy,
                kept.detach().numpy(),
                *self.arrays,
                self.softplus,
                height,
                width,
                block,
                _segment(states),
                task,
                *outputs,
            ),
            batch * blocks,
        )
        return {
            "u": gu,
            "delta": gdelta,
            "gates": gates.sum(0),
            "weight": gweight.sum(0).mT,
            "A": gA.sum(0).mT,
            "D": gD.sum(0),
            "bias": gbias.sum(0),
        }


def _given(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    bias: Tensor,
    softplus: bool,
) -> _Scan:
    """A scan whose step sizes are given."""
    batch, height, width, channels = u.shape
    directions, states, length, dtype = A.shape[0], A.shape[2], height * width, _kept_type(u)
    gate = (batch, length, directions, states)
    return _Scan.of(
        u, A, D, bias, softplus,
        delta=_array(delta, (directions, batch, length, channels), dtype),
        steps=_array(u.new_empty(0), (batch, length, directions, 0), dtype),
        weight=_array(u.new_empty(0), (directions, 0, channels)),
        B=_array(B, gate, dtype),
        C=_array(C, gate, dtype),
    )  # fmt: skip


def _made(u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor) -> _Scan:
    """A scan whose step sizes are made where they are used: steps times weight, then softplus."""
    batch, height, width, channels = u.shape
    directions, states, length, dtype = A.shape[0], A.shape[2], height * width, _kept_type(u)
    rank = weight.shape[2]
    array = _array(gates, (batch, length, directions, rank + 2 * states), dtype)
    return _Scan.of(
        u, A, D, bias, True,
        delta=_array(u.new_empty(0), (directions, batch, length, 0), dtype),
        steps=array[..., :rank],
        weight=_array(weight.mT, (directions, rank, channels)),
        B=array[..., rank : rank + states],
        C=array[..., rank + states :],
    )  # fmt: skip


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
    """y (batch, height, width, channel), in u's type, and kept states; states are float32 whatever that is."""
    y, kept = _given(u, delta, A, B, C, D, bias, softplus).forward(keep)
    return y.to(u.dtype), kept


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
    """Gradients of u, delta, A, B, C, D and bias, in their shapes and types."""
    found = _given(u, delta, A, B, C, D, bias, softplus).backward(grad_y, kept)
    return gradients.of_scan(found, (u, delta, A, B, C, D, bias))


def cross_forward(
    u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor, keep: bool
) -> tuple[Tensor, Tensor]:
    """y of a cross scan, and kept states, as `forward`."""
    if weight.shape[2] > MOST_RANK:
        return low_rank.cross_forward(forward, u, gates, weight, A, D, bias, keep)
    y, kept = _made(u, gates, weight, A, D, bias).forward(keep)
    return y.to(u.dtype), kept


def cross_backward(
    grad_y: Tensor,
    kept: Tensor,
    u: Tensor,
    gates: Tensor,
    weight: Tensor,
    A: Tensor,
    D: Tensor,
    bias: Tensor,
) -> tuple[Tensor, ...]:
    """Gradients of u, gates, weight, A, D and bias, in their shapes and types."""
    if weight.shape[2] > MOST_RANK:
        return low_rank.cross_backward(backward, grad_y, kept, u, gates, weight, A, D, bias)
    found = _made(u, gates, weight, A, D, bias).backward(grad_y, kept)
    return gradients.of_cross_scan(found, (u, gates, weight, A, D, bias))
