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
from typing import Any

import numba as nb
import numpy as np
import torch
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from torch import Tensor

BLOCK = 64  # channels of a task: four AVX-512 registers; a smaller last block is allowed
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
def _as_int(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


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
    """log(1 + y) for y >= 0: the atanh series of the mantissa; where 1 + y would round y away, y's own."""
    u = f4(1) + y
    i = _as_int(u)
    e = (i - i4(0x3F3504F3)) >> i4(23)
    m = _as_float(i - (e << i4(23)))
    f = m - f4(1)
    s = f / (f4(2) + f)
    z = s * s
    p = f4(1) + z * (f4(0.33333333) + z * (f4(0.2) + z * (f4(0.14285714) + z * f4(0.11111111))))
    small = y * (f4(1) - y * (f4(0.5) - y * (f4(0.33333333) - y * (f4(0.25) - y * f4(0.2)))))
    return small if y < f4(0.0625) else f4(2) * s * p + f4(e) * f4(0.69314718)


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


@_kernel
def _forward_task(u, delta, A, B, C, D, bias, softplus, height, width, task, y):
    """One image and one block of channels, all directions. u, y: (batch, length, channel)."""
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    blocks = (channels + BLOCK - 1) // BLOCK
    b, first = task // blocks, (task % blocks) * BLOCK
    size = min(BLOCK, channels - first)
    h = np.empty((states, BLOCK), f4)
    step = np.empty(BLOCK, f4)
    inflow = np.empty(BLOCK, f4)
    out = np.empty(BLOCK, f4)
    x = np.empty(BLOCK, f4)
    for k in range(directions):
        h[:] = f4(0)
        bias_k = bias[k, first : first + size]
        skip_k = D[k, first : first + size]
        for t in range(length):
            p = _position(k, t, height, width)
            u_p = u[b, p, first : first + size]
            d_p = delta[k, b, p, first : first + size]
            y_p = y[b, p, first : first + size]
            for j in range(size):
                x[j] = _wide(u_p[j])
                step[j] = _wide(d_p[j]) + bias_k[j]
            if softplus:
                for j in range(size):
                    step[j] = _softplus(step[j])
            for j in range(size):
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
    A,
    B,
    C,
    D,
    bias,
    softplus,
    height,
    width,
    chunk,
    task,
    gu,
    gdelta,
    gA,
    gB,
    gC,
    gD,
    gbias,
):
    """Gradients of one image and one block of channels.

    gB, gC have a leading axis of blocks and gA, gD, gbias one of images, so that no two tasks write the same cell.
    """
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    blocks = (channels + BLOCK - 1) // BLOCK
    b, block = task // blocks, task % blocks
    first = block * BLOCK
    size = min(BLOCK, channels - first)
    segments = (length + chunk - 1) // chunk
    kept = np.empty((segments, states, BLOCK), f4)
    h = np.empty((chunk + 1, states, BLOCK), f4)
    gain = np.empty((chunk, states, BLOCK), f4)
    step = np.empty((chunk, BLOCK), f4)
    carry = np.empty((states, BLOCK), f4)
    pull_u = np.empty(BLOCK, f4)
    pull_step = np.empty(BLOCK, f4)
    x = np.empty(BLOCK, f4)
    g = np.empty(BLOCK, f4)
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
            d_p = delta[k, b, p, first : first + size]
            s = step[0]
            for j in range(size):
                x[j] = _wide(u_p[j])
                s[j] = _wide(d_p[j]) + bias_k[j]
            if softplus:
                for j in range(size):
                    s[j] = _softplus(s[j])
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
            steps = min(chunk, length - start)
            h[0] = kept[segment]
            for i in range(steps):
                p = _position(k, start + i, height, width)
                u_p = u[b, p, first : first + size]
                d_p = delta[k, b, p, first : first + size]
                s = step[i]
                for j in range(size):
                    x[j] = _wide(u_p[j])
                    s[j] = _wide(d_p[j]) + bias_k[j]
                if softplus:
                    for j in range(size):
                        s[j] = _softplus(s[j])
                for n in range(states):
                    gate_in = _wide(B[b, p, k, n])
                    A_n = A[k, n, first : first + size]
                    before, after, a = h[i, n], h[i + 1, n], gain[i, n]
                    for j in range(size):
                        a[j] = _exp(s[j] * A_n[j])
                        after[j] = a[j] * before[j] + gate_in * s[j] * x[j]
            for i in range(steps - 1, -1, -1):
                p = _position(k, start + i, height, width)
                u_p = u[b, p, first : first + size]
                gy_p = gy[b, p, first : first + size]
                gu_p = gu[b, p, first : first + size]
                gd_p = gdelta[k, b, p, first : first + size]
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
                    gB[block, b, p, k, n] = sum_B
                    gC[block, b, p, k, n] = sum_C
                for j in range(size):
                    slope = _slope(s[j]) if softplus else f4(1)
                    gd = (pull_step[j] + pull_u[j] * x[j]) * slope
                    gd_p[j] = _narrow(gd, gd_p[j])
                    gbias_k[j] += gd
                    gD_k[j] += g[j] * x[j]
                    into_u = pull_u[j] * s[j] + skip_k[j] * g[j]
                    gu_p[j] = into_u if k == 0 else gu_p[j] + into_u


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
    plain = tensor.detach().to(dtype).contiguous().view(shape)
    if dtype == torch.bfloat16:
        return plain.view(torch.int16).numpy().view(np.uint16)
    return plain.numpy()


def _kept_type(u: Tensor) -> torch.dtype:
    """What the large arrays are read and written as: bfloat16 as it comes, all else as float32."""
    return torch.bfloat16 if u.dtype == torch.bfloat16 else torch.float32


def _arrays(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor
) -> list[Any]:
    batch, height, width, channels = u.shape
    directions, states, length = A.shape[0], A.shape[2], height * width
    dtype = _kept_type(u)
    return [
        _array(u, (batch, length, channels), dtype),
        _array(delta, (directions, batch, length, channels), dtype),
        _array(A.transpose(1, 2), (directions, states, channels)),
        _array(B, (batch, length, directions, states), dtype),
        _array(C, (batch, length, directions, states), dtype),
        _array(D, (directions, channels)),
        _array(bias, (directions, channels)),
    ]


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
    batch, height, width, channels = u.shape
    arrays = _arrays(u, delta, A, B, C, D, bias)
    y = torch.empty(batch, height * width, channels)
    out = y.numpy()
    _pool.map(
        lambda task: _forward_task(*arrays, softplus, height, width, task, out),
        batch * -(-channels // BLOCK),
    )
    return y.view(u.shape).to(u.dtype)


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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of u, delta, A, B, C, D and bias, in their shapes and types."""
    batch, height, width, channels = u.shape
    directions, states, length = A.shape[0], A.shape[2], height * width
    blocks = -(-channels // BLOCK)
    chunk = max(1, CHUNK // states)
    arrays = _arrays(u, delta, A, B, C, D, bias)
    dtype = _kept_type(u)
    gy = _array(grad_y, (batch, length, channels), dtype)
    gu = torch.empty(batch, length, channels)
    gdelta = torch.empty(directions, batch, length, channels, dtype=dtype)
    gA = torch.zeros(batch, directions, states, channels)
    gB, gC = (torch.empty(blocks, batch, length, directions, states) for _ in range(2))
    gD, gbias = (torch.zeros(batch, directions, channels) for _ in range(2))
    outputs = [_array(each, each.shape, each.dtype) for each in (gu, gdelta, gA, gB, gC, gD, gbias)]
    _pool.map(
        lambda task: _backward_task(gy, *arrays, softplus, height, width, chunk, task, *outputs),
        batch * blocks,
    )
    grads = (gu, gdelta, gA.sum(0).mT, gB.sum(0), gC.sum(0), gD.sum(0), gbias.sum(0))
    inputs = (u, delta, A, B, C, D, bias)
    return tuple(  # type: ignore[return-value]
        g.reshape(x.shape).to(x.dtype) for g, x in zip(grads, inputs, strict=True)
    )
