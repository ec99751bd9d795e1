"""CPU kernels of the selective scan, compiled by numba: the loop nests and their arithmetic.

Why they are fast: channels map to SIMD lanes (the arrays are channels-last); a task is one image and one block of
channels whose recurrent state stays in cache; all directions index the same array; exp and log1p are polynomials
with bit-level scaling, because LLVM does not vectorise calls to libm. The backward pass starts from the states saved
at segment boundaries and recomputes the states in between, so that the working set of a segment stays in cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

from rma_mamba.ops.selective_scan.kernel_cache import cache_on_disk

if hasattr(os, "register_at_fork"):  # not on Windows
    # a fork while another thread compiles would leave the child with a lock that nobody releases
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

f4 = np.float32
i4 = np.int32


class ScanArrays(NamedTuple):
    """Inputs of a scan. Either `delta` holds the step sizes, or `steps` times `weight` gives them.

    The large arrays (u, delta, steps, B, C) are float32, or the bits of bfloat16 as uint16; the others are float32.

    Args:
        u: (batch, position, channel).
        delta: (direction, batch, position, channel); no channels if there are `steps`.
        steps: (batch, position, direction, rank); the rank is 0 if there is `delta`.
        weight: (direction, rank, channel).
        A: (direction, state, channel).
        B: (batch, position, direction, state).
        C: (batch, position, direction, state).
        D: (direction, channel).
        bias: (direction, channel).
    """

    u: Any
    delta: Any
    steps: Any
    weight: Any
    A: Any
    B: Any
    C: Any
    D: Any
    bias: Any


class GradientArrays(NamedTuple):
    """Outputs of the backward pass, one for each field of `ScanArrays`.

    So that no two tasks write the same element, steps, B and C have a leading axis of channel blocks, and weight, A,
    D and bias have a leading axis of images; their sums are the gradients.
    """

    u: Any
    delta: Any
    steps: Any
    B: Any
    C: Any
    weight: Any
    A: Any
    D: Any
    bias: Any


class Layout(NamedTuple):
    """How a scan is divided into tasks.

    Args:
        softplus: Apply softplus to the step sizes.
        height: Rows of the feature map.
        width: Columns of the feature map.
        block: Channels of one task.
        segment: Steps between two saved states; 0 in a forward pass that saves none.
    """

    softplus: bool
    height: int
    width: int
    block: int
    segment: int


def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call, and cache on disk where numba finds a writable folder."""
    return cache_on_disk(nb.njit(fastmath=True, nogil=True, error_model="numpy")(function))


@intrinsic
def _as_float(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def _wide(typing_context: Any, x: Any) -> Any:
    """Load as float32: a float32, or the bits of a bfloat16."""

    def from_float(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    def from_bits(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.zext(args[0], ir.IntType(32))
        return builder.bitcast(builder.shl(word, ir.IntType(32)(16)), ir.FloatType())

    return types.float32(x), from_float if x == types.float32 else from_bits


@intrinsic
def _narrow(typing_context: Any, x: Any, like: Any) -> Any:
    """Convert x for storage in the dtype of `like`: float32, or the bits of the nearest bfloat16 (ties to even)."""

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
def _exp_down(x):
    """e**x to 2 ulp: 1 + x + x**2 times a minimax polynomial. Clips x below at -87; x above 88 is not handled."""
    x = max(x, f4(-87.0))
    n = f4(np.floor(x * f4(1.44269504) + f4(0.5)))
    f = x - n * f4(0.693359375) + n * f4(2.12194440e-4)
    p = f4(0.0013814599)
    p = p * f + f4(0.008368717)
    p = p * f + f4(0.04166839)
    p = p * f + f4(0.16666521)
    p = p * f + f4(0.49999994)
    p = p * f * f + f + f4(1)
    return p * _as_float((i4(n) + i4(127)) << i4(23))


@nb.njit(fastmath=True, inline="always")
def _exp(x):
    """e**x to 2 ulp, with x clipped to the range of float32."""
    return _exp_down(min(x, f4(88.0)))


@nb.njit(fastmath=True, inline="always")
def _log1p(y):
    """log(1 + y) for y in [0, 1], as y times a minimax polynomial; relative error at most 2e-7, even for tiny y."""
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
    return max(x, f4(0)) + _log1p(_exp_down(-abs(x)))


@nb.njit(fastmath=True, inline="always")
def _slope(s):
    """Derivative of softplus where its value is s: 1 - e**-s, or a series for small s to avoid cancellation."""
    return s - s * s * (f4(0.5) - s * f4(0.16666667)) if s < f4(0.02) else f4(1) - _exp_down(-s)


@nb.njit(fastmath=True, inline="always")
def _position(k, t, height, width):
    """Row-major position of step t in direction k (rows, columns, reversed rows, reversed columns)."""
    if k >= 2:
        t = height * width - 1 - t
    if k % 2 == 1:
        return (t % height) * width + t // height
    return t


@nb.njit(fastmath=True, inline="always")
def _step_sizes(out, size, scan, bias_k, softplus, k, b, p, first):
    """Step sizes of one position: read from delta or, if the rank is not 0, steps times weight."""
    delta, steps, weight = scan.delta, scan.steps, scan.weight
    rank = steps.shape[3]
    if rank == 0:
        d_p = delta[k, b, p, first : first + size]
        for j in range(size):
            out[j] = _wide(d_p[j]) + bias_k[j]
    else:
        # Two rows of the weight at a time halve the loads and stores of `out`.
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
def forward_task(scan, layout, task, y, saved):
    """Scan one image and one block of channels in all directions; y is (batch, position, channel).

    If the layout has segments, the state before each segment is saved.
    """
    u, _, _, _, A, B, C, D, bias = scan
    softplus, height, width, block, segment = layout
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    blocks = (channels + block - 1) // block
    b, first = task // blocks, (task % blocks) * block
    size = min(block, channels - first)
    h = np.empty((states, block), f4)
    step = np.empty(block, f4)
    inflow = np.empty(block, f4)
    # The sum of the directions, private to this task: neighbouring tasks share cache lines of y, and what one core
    # prefetches the other one writes. Summing in y directly takes twice as long.
    total = np.empty((length, block), f4)
    skip = np.zeros(block, f4)  # summed over directions
    for k in range(directions):
        for j in range(size):
            skip[j] += D[k, first + j]
    for k in range(directions):
        h[:] = f4(0)
        bias_k = bias[k, first : first + size]
        for t in range(length):
            if segment > 0 and t % segment == 0:
                for n in range(states):
                    saved_n = saved[b, k, t // segment, n, first : first + size]
                    for j in range(size):
                        saved_n[j] = h[n, j]
            p = _position(k, t, height, width)
            u_p = u[b, p, first : first + size]
            out = total[p]
            _step_sizes(step, size, scan, bias_k, softplus, k, b, p, first)
            for j in range(size):
                inflow[j] = step[j] * _wide(u_p[j])
            if k == 0:
                for j in range(size):
                    out[j] = skip[j] * _wide(u_p[j])
            for n in range(states):
                gate_in, gate_out = _wide(B[b, p, k, n]), _wide(C[b, p, k, n])
                A_n = A[k, n, first : first + size]
                h_n = h[n]
                for j in range(size):
                    h_n[j] = _exp(step[j] * A_n[j]) * h_n[j] + gate_in * inflow[j]
                    out[j] += gate_out * h_n[j]
            if k == directions - 1:
                y_p = y[b, p, first : first + size]
                for j in range(size):
                    y_p[j] = _narrow(out[j], y_p[j])


@_kernel
def backward_task(scan, layout, task, gy, saved, grads):
    """Gradients of one image and one block of channels, from the gradient of y and the saved states."""
    u, _, steps, weight, A, B, C, D, bias = scan
    gu, gdelta, gsteps, gB, gC, gweight, gA, gD, gbias = grads
    softplus, height, width, block, segment = layout
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    rank = steps.shape[3]
    blocks = (channels + block - 1) // block
    b, number = task // blocks, task % blocks
    first = number * block
    size = min(block, channels - first)
    segments = (length + segment - 1) // segment
    h = np.empty((segment + 1, states, block), f4)
    decay = np.empty((segment, states, block), f4)
    step = np.empty((segment, block), f4)
    carry = np.empty((states, block), f4)
    ginput = np.empty(block, f4)
    gdecay_A = np.empty(block, f4)
    x = np.empty(block, f4)
    g = np.empty(block, f4)
    gd = np.empty(block, f4)
    # Private to this task, as in the forward pass.
    total_u = np.empty((length, block), f4)
    sum_A = np.empty((states, block), f4)
    sum_weight = np.empty((rank, block), f4)
    sum_D = np.empty(block, f4)
    sum_bias = np.empty(block, f4)
    for k in range(directions):
        bias_k = bias[k, first : first + size]
        skip_k = D[k, first : first + size]
        carry[:] = f4(0)
        sum_A[:] = f4(0)
        sum_weight[:] = f4(0)
        sum_D[:] = f4(0)
        sum_bias[:] = f4(0)
        for at in range(segments - 1, -1, -1):
            start = at * segment
            count = min(segment, length - start)
            for n in range(states):
                saved_n = saved[b, k, at, n, first : first + size]
                for j in range(size):
                    h[0, n, j] = saved_n[j]
            for i in range(count):
                p = _position(k, start + i, height, width)
                u_p = u[b, p, first : first + size]
                s = step[i]
                _step_sizes(s, size, scan, bias_k, softplus, k, b, p, first)
                for j in range(size):
                    x[j] = _wide(u_p[j])
                for n in range(states):
                    gate_in = _wide(B[b, p, k, n])
                    A_n = A[k, n, first : first + size]
                    before, after, a = h[i, n], h[i + 1, n], decay[i, n]
                    for j in range(size):
                        a[j] = _exp(s[j] * A_n[j])
                    for j in range(size):
                        after[j] = a[j] * before[j] + gate_in * s[j] * x[j]
            for i in range(count - 1, -1, -1):
                p = _position(k, start + i, height, width)
                u_p = u[b, p, first : first + size]
                gy_p = gy[b, p, first : first + size]
                gu_p = total_u[p]
                s = step[i]
                for j in range(size):
                    x[j] = _wide(u_p[j])
                    g[j] = _wide(gy_p[j])
                    ginput[j] = f4(0)
                    gdecay_A[j] = f4(0)
                for n in range(states):
                    gate_in, gate_out = _wide(B[b, p, k, n]), _wide(C[b, p, k, n])
                    A_n = A[k, n, first : first + size]
                    gA_n = sum_A[n]
                    before, after, a, c = h[i, n], h[i + 1, n], decay[i, n], carry[n]
                    sum_B = f4(0)
                    sum_C = f4(0)
                    for j in range(size):
                        gh = c[j] + gate_out * g[j]
                        sum_C += g[j] * after[j]
                        sum_B += gh * s[j] * x[j]
                        c[j] = gh * a[j]
                        gdecay = c[j] * before[j]
                        gA_n[j] += gdecay * s[j]
                        ginput[j] += gh * gate_in
                        gdecay_A[j] += gdecay * A_n[j]
                    gB[number, b, p, k, n] = sum_B
                    gC[number, b, p, k, n] = sum_C
                for j in range(size):
                    slope = _slope(s[j]) if softplus else f4(1)
                    gd[j] = (gdecay_A[j] + ginput[j] * x[j]) * slope
                    sum_bias[j] += gd[j]
                    sum_D[j] += g[j] * x[j]
                    gu_j = ginput[j] * s[j] + skip_k[j] * g[j]
                    gu_p[j] = gu_j if k == 0 else gu_p[j] + gu_j
                if k == directions - 1:
                    gu[b, p, first : first + size] = gu_p[:size]
                if rank == 0:
                    gd_p = gdelta[k, b, p, first : first + size]
                    for j in range(size):
                        gd_p[j] = _narrow(gd[j], gd_p[j])
                for r in range(rank):
                    step_r = _wide(steps[b, p, k, r])
                    w = weight[k, r, first : first + size]
                    gw = sum_weight[r]
                    sum_step = f4(0)
                    for j in range(size):
                        sum_step += gd[j] * w[j]
                        gw[j] += gd[j] * step_r
                    gsteps[number, b, p, k, r] = sum_step
        gA[b, k, :, first : first + size] = sum_A[:, :size]
        gweight[b, k, :, first : first + size] = sum_weight[:, :size]
        gD[b, k, first : first + size] = sum_D[:size]
        gbias[b, k, first : first + size] = sum_bias[:size]
