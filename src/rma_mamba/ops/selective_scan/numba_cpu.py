"""The selective scan on a CPU, compiled by numba: no compiler on the user's machine, no copies in scan order.

What makes it fast: channels are the SIMD lanes (the arrays are channels-last), a task is one image and one block
of channels whose recurrent state stays in cache, the four directions are walked by index over the same
array, and exp and log1p are polynomials with bit-level scaling, because LLVM does not vectorise calls to libm.
The backward pass keeps all states of up to `CHUNK` steps; of longer maps it keeps one state every so many
steps and recomputes those between.

Tasks run on a thread pool of this module (kernels release the GIL), so no threading layer has to be installed
and any number of Python threads may call at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from torch import Tensor

from rma_mamba.ops.selective_scan import gradients, low_rank

LANES = 16  # of float32 in an AVX-512 register
BLOCK = 64  # channels of a task where no even number of equal blocks exists; the last one may be smaller
LARGEST_BLOCK = 96  # channels of a task
MOST_RANK = (
    16  # of step sizes made in the kernel; beyond, maps are small and a matrix product is faster
)
CHUNK = 4096  # kept states of a channel in the backward pass: its steps are walked once if they fit

f4 = np.float32
i4 = np.int32


def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call; kept on disk for later processes wherever numba finds a place to write."""
    options = {"fastmath": True, "nogil": True, "error_model": "numpy"}
    try:
        return nb.njit(cache=True, **options)(function)
    except RuntimeError:
        return nb.njit(**options)(function)


@intrinsic
def _as_float(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def _wide(typing_context: Any, x: Any) -> Any:
    """float32 of a float32, or of the bits of a bfloat16."""

    def from_float(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    def from_bits(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.zext(args[0], ir.IntType(32))
        return builder.bitcast(builder.shl(word, ir.IntType(32)(16)), ir.FloatType())

    return types.float32(x), from_float if x == types.float32 else from_bits


@intrinsic
def _narrow(typing_context: Any, x: Any, like: Any) -> Any:
    """x as it is stored beside `like`: a float32, or the bits of the nearest bfloat16 (ties to even)."""

    def to_float(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    def to_bits(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(32)
        bits = builder.bitcast(args[0], word)
        odd = builder.and_(builder.lshr(bits, word(16)), word(1))
        rounded = builder.add(builder.add(bits, word(0x7FFF)), odd)
        return builder.trunc(builder.lshr(rounded, word(16)), ir.IntType(16))

    return like(types.float32, like), to_float if like == types.float32 else to_bits


@nb.njit(fastmath=True, inline="always")
def _exp(x):
    """e**x to 2 ulp, for x clipped to the range of float32 (Cephes' polynomial)."""
    x = min(max(x, f4(-87.0)), f4(88.0))
    n = f4(np.floor(x * f4(1.44269504) + f4(0.5)))
    f = x - n * f4(0.693359375) + n * f4(2.12194440e-4)
    p = f4(1.9875691500e-4)
    p = p * f + f4(1.3981999507e-3)
    p = p * f + f4(8.3334519073e-3)
    p = p * f + f4(4.1665795894e-2)
    p = p * f + f4(1.6666665459e-1)
    p = p * f + f4(5.0000001201e-1)
    p = p * f * f + f + f4(1)
    return p * _as_float((i4(n) + i4(127)) << i4(23))


@nb.njit(fastmath=True, inline="always")
def _log1p(y):
    """log(1 + y) for y from 0 to 1, to 2e-7 of itself however small y is: y times a minimax polynomial."""
    p = f4(0.005232668947428465)
    p = p * y - f4(0.029505137354135513)
    p = p * y + f4(0.07822578400373459)
    p = p * y - f4(0.13663232326507568)
    p = p * y + f4(0.19106000661849976)
    p = p * y - f4(0.2484298050403595)
    p = p * y + f4(0.3331909775733948)
    p = p * y - f4(0.4999949336051941)
    p = p * y + f4(0.9999999403953552)
    return p * y


@nb.njit(fastmath=True, inline="always")
def _softplus(x):
    """log(1 + e**x) without overflow."""
    return max(x, f4(0)) + _log1p(_exp(-abs(x)))


@nb.njit(fastmath=True, inline="always")
def _slope(s):
    """Derivative of softplus where its value is s: 1 - e**-s, by a series where that would cancel."""
    return s - s * s * (f4(0.5) - s * f4(0.16666667)) if s < f4(0.02) else f4(1) - _exp(-s)


@nb.njit(fastmath=True, inline="always")
def _position(k, t, height, width):
    """Row-major position of step t in direction k (rows, columns, rows backwards, columns backwards)."""
    if k >= 2:
        t = height * width - 1 - t
    if k % 2 == 1:
        return (t % height) * width + t // height
    return t


@nb.njit(fastmath=True, inline="always")
def _step_sizes(out, size, delta, steps, weight, bias_k, softplus, k, b, p, first):
    """Step sizes of one position: as they are given, or (where there are `steps`) steps times weight."""
    rank = steps.shape[3]
    if rank == 0:
        d_p = delta[k, b, p, first : first + size]
        for j in range(size):
            out[j] = _wide(d_p[j]) + bias_k[j]
    else:
        # two rows of the weight at a time: half the loads and stores of `out`
        odd = rank % 2
        if odd == 1:
            step = _wide(steps[b, p, k, 0])
            w = weight[k, 0, first : first + size]
            for j in range(size):
                out[j] = bias_k[j] + step * w[j]
        else:
            for j in range(size):
                out[j] = bias_k[j]
        for r in range(odd, rank, 2):
            one, two = _wide(steps[b, p, k, r]), _wide(steps[b, p, k, r + 1])
            v = weight[k, r, first : first + size]
            w = weight[k, r + 1, first : first + size]
            for j in range(size):
                out[j] += one * v[j] + two * w[j]
    if softplus:
        for j in range(size):
            out[j] = _softplus(out[j])


@_kernel
def _forward_task(
    u, delta, steps, weight, A, B, C, D, bias, softplus, height, width, block, task, y
):
    """One image and one block of channels, all directions. u, y: (batch, length, channel)."""
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    blocks = (channels + block - 1) // block
    b, first = task // blocks, (task % blocks) * block
    size = min(block, channels - first)
    h = np.empty((states, block), f4)
    step = np.empty(block, f4)
    inflow = np.empty(block, f4)
    out = np.empty(block, f4)
    x = np.empty(block, f4)
    for k in range(directions):
        h[:] = f4(0)
        bias_k = bias[k, first : first + size]
        skip_k = D[k, first : first + size]
        for t in range(length):
            p = _position(k, t, height, width)
            u_p = u[b, p, first : first + size]
            y_p = y[b, p, first : first + size]
            _step_sizes(step, size, delta, steps, weight, bias_k, softplus, k, b, p, first)
            for j in range(size):
                x[j] = _wide(u_p[j])
                inflow[j] = step[j] * x[j]
                out[j] = skip_k[j] * x[j]
            for n in range(states):
                gate_in, gate_out = _wide(B[b, p, k, n]), _wide(C[b, p, k, n])
                A_n = A[k, n, first : first + size]
                h_n = h[n]
                for j in range(size):
                    h_n[j] = _exp(step[j] * A_n[j]) * h_n[j] + gate_in * inflow[j]
                    out[j] += gate_out * h_n[j]
            if k == 0:
                for j in range(size):
                    y_p[j] = out[j]
            else:
                for j in range(size):
                    y_p[j] += out[j]


@_kernel
def _backward_task(
    gy,
    u,
    delta,
    steps,
    weight,
    A,
    B,
    C,
    D,
    bias,
    softplus,
    height,
    width,
    block,
    chunk,
    task,
    gu,
    gdelta,
    gsteps,
    gB,
    gC,
    gweight,
    gA,
    gD,
    gbias,
):
    """Gradients of one image and one block of channels.

    gsteps, gB, gC have a leading axis of blocks and gweight, gA, gD, gbias one of images, so that no two tasks
    write the same cell.
    """
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    rank = steps.shape[3]
    blocks = (channels + block - 1) // block
    b, number = task // blocks, task % blocks
    first = number * block
    size = min(block, channels - first)
    segments = (length + chunk - 1) // chunk
    kept = np.empty((segments, states, block), f4)
    h = np.empty((chunk + 1, states, block), f4)
    gain = np.empty((chunk, states, block), f4)
    step = np.empty((chunk, block), f4)
    carry = np.empty((states, block), f4)
    pull_u = np.empty(block, f4)
    pull_step = np.empty(block, f4)
    x = np.empty(block, f4)
    g = np.empty(block, f4)
    gd = np.empty(block, f4)
    for k in range(directions):
        bias_k = bias[k, first : first + size]
        skip_k = D[k, first : first + size]
        gD_k = gD[b, k, first : first + size]
        gbias_k = gbias[b, k, first : first + size]
        # First walk: the state at the start of each segment. The last segment is walked only below.
        running = h[0]
        running[:] = f4(0)
        kept[0] = running
        for t in range((segments - 1) * chunk):
            p = _position(k, t, height, width)
            u_p = u[b, p, first : first + size]
            s = step[0]
            _step_sizes(s, size, delta, steps, weight, bias_k, softplus, k, b, p, first)
            for j in range(size):
                x[j] = _wide(u_p[j])
            for n in range(states):
                gate_in = _wide(B[b, p, k, n])
                A_n = A[k, n, first : first + size]
                h_n = running[n]
                for j in range(size):
                    h_n[j] = _exp(s[j] * A_n[j]) * h_n[j] + gate_in * s[j] * x[j]
            if (t + 1) % chunk == 0:
                kept[(t + 1) // chunk] = running
        carry[:] = f4(0)
        for segment in range(segments - 1, -1, -1):
            start = segment * chunk
            count = min(chunk, length - start)
            h[0] = kept[segment]
            for i in range(count):
                p = _position(k, start + i, height, width)
                u_p = u[b, p, first : first + size]
                s = step[i]
                _step_sizes(s, size, delta, steps, weight, bias_k, softplus, k, b, p, first)
                for j in range(size):
                    x[j] = _wide(u_p[j])
                for n in range(states):
                    gate_in = _wide(B[b, p, k, n])
                    A_n = A[k, n, first : first + size]
                    before, after, a = h[i, n], h[i + 1, n], gain[i, n]
                    for j in range(size):
                        a[j] = _exp(s[j] * A_n[j])
                        after[j] = a[j] * before[j] + gate_in * s[j] * x[j]
            for i in range(count - 1, -1, -1):
                p = _position(k, start + i, height, width)
                u_p = u[b, p, first : first + size]
                gy_p = gy[b, p, first : first + size]
                gu_p = gu[b, p, first : first + size]
                s = step[i]
                for j in range(size):
                    x[j] = _wide(u_p[j])
                    g[j] = _wide(gy_p[j])
                    pull_u[j] = f4(0)
                    pull_step[j] = f4(0)
                for n in range(states):
                    gate_in, gate_out = _wide(B[b, p, k, n]), _wide(C[b, p, k, n])
                    A_n = A[k, n, first : first + size]
                    gA_n = gA[b, k, n, first : first + size]
                    before, after, a, c = h[i, n], h[i + 1, n], gain[i, n], carry[n]
                    sum_B = f4(0)
                    sum_C = f4(0)
                    for j in range(size):
                        gh = c[j] + gate_out * g[j]
                        sum_C += g[j] * after[j]
                        sum_B += gh * s[j] * x[j]
                        c[j] = gh * a[j]
                        through = c[j] * before[j]
                        gA_n[j] += through * s[j]
                        pull_u[j] += gh * gate_in
                        pull_step[j] += through * A_n[j]
                    gB[number, b, p, k, n] = sum_B
                    gC[number, b, p, k, n] = sum_C
                for j in range(size):
                    slope = _slope(s[j]) if softplus else f4(1)
                    gd[j] = (pull_step[j] + pull_u[j] * x[j]) * slope
                    gbias_k[j] += gd[j]
                    gD_k[j] += g[j] * x[j]
                    into_u = pull_u[j] * s[j] + skip_k[j] * g[j]
                    gu_p[j] = into_u if k == 0 else gu_p[j] + into_u
                if rank == 0:
                    gd_p = gdelta[k, b, p, first : first + size]
                    for j in range(size):
                        gd_p[j] = _narrow(gd[j], gd_p[j])
                for r in range(rank):
                    step_r = _wide(steps[b, p, k, r])
                    w = weight[k, r, first : first + size]
                    gw = gweight[b, k, r, first : first + size]
                    total = f4(0)
                    for j in range(size):
                        total += gd[j] * w[j]
                        gw[j] += gd[j] * step_r
                    gsteps[number, b, p, k, r] = total


class _Pool:
    """A thread pool that is made anew in a forked child and grows when torch is given more threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner, self._threads = 0, 0
        self._executor: ThreadPoolExecutor | None = None

    def map(self, task: Callable[[int], None], tasks: int) -> None:
        """Run task(0) ... task(tasks - 1) on as many threads as torch computes with."""
        threads = min(torch.get_num_threads(), tasks)
        if threads <= 1:
            for i in range(tasks):
                task(i)
            return
        todo = iter(
            range(tasks)
        )  # next() is atomic: a thread takes a task when it is done with one

        def work() -> None:
            for i in todo:
                task(i)

        others = [self._get(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()

    def _get(self, threads: int) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None or self._owner != os.getpid() or self._threads < threads:
                self._executor = ThreadPoolExecutor(threads, thread_name_prefix="rma-mamba-scan")
                self._owner, self._threads = os.getpid(), threads
            return self._executor


_pool = _Pool()


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


def _block(channels: int) -> int:
    """Channels of a task: an even number of equal blocks where there is one, so that two threads share them evenly."""
    for block in range(LARGEST_BLOCK, 0, -LANES):
        if channels % (2 * block) == 0:
            return block
    return BLOCK


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

    def forward(self) -> Tensor:
        """y (batch, height, width, channel), float32."""
        batch, height, width, channels = self.sizes
        block = _block(channels)
        y = torch.empty(batch, height * width, channels)
        out = y.numpy()
        _pool.map(
            lambda task: _forward_task(
                *self.arrays, self.softplus, height, width, block, task, out
            ),
            batch * -(-channels // block),
        )
        return y.view(self.sizes)

    def backward(self, grad_y: Tensor) -> dict[str, Tensor]:
        """Gradients by the name of the input; of the gates, (batch, length, direction, rank + 2 states)."""
        batch, height, width, channels = self.sizes
        _, delta, steps, _, A, *_ = self.arrays
        (directions, states, _), length, rank = A.shape, height * width, steps.shape[3]
        block = _block(channels)
        blocks = -(-channels // block)
        gy = _array(grad_y, (batch, length, channels), self.dtype)
        gu = torch.empty(batch, length, channels)
        gdelta = torch.empty(delta.shape, dtype=self.dtype)
        gates = torch.empty(blocks, batch, length, directions, rank + 2 * states)
        gweight, gA = (torch.zeros(batch, directions, rows, channels) for rows in (rank, states))
        gD, gbias = (torch.zeros(batch, directions, channels) for _ in range(2))
        outputs = [
            _numpy(each)
            for each in (
                gu,
                gdelta,
                *gates.split([rank, states, states], -1),
                gweight,
                gA,
                gD,
                gbias,
            )
        ]
        _pool.map(
            lambda task: _backward_task(
                gy,
                *self.arrays,
                self.softplus,
                height,
                width,
                block,
                max(1, CHUNK // states),
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
) -> Tensor:
    """y (batch, height, width, channel), in u's type; the state is float32 whatever that is."""
    return _given(u, delta, A, B, C, D, bias, softplus).forward().to(u.dtype)


def backward(
    grad_y: Tensor,
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
    found = _given(u, delta, A, B, C, D, bias, softplus).backward(grad_y)
    return gradients.of_scan(found, (u, delta, A, B, C, D, bias))


def cross_forward(
    u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor
) -> Tensor:
    """y of a cross scan, as `forward`."""
    if weight.shape[2] > MOST_RANK:
        return low_rank.cross_forward(forward, u, gates, weight, A, D, bias)
    return _made(u, gates, weight, A, D, bias).forward().to(u.dtype)


def cross_backward(
    grad_y: Tensor, u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of u, gates, weight, A, D and bias, in their shapes and types."""
    if weight.shape[2] > MOST_RANK:
        return low_rank.cross_backward(backward, grad_y, u, gates, weight, A, D, bias)
    found = _made(u, gates, weight, A, D, bias).backward(grad_y)
    return gradients.of_cross_scan(found, (u, gates, weight, A, D, bias))
