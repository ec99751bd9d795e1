"""The selective scan on a CPU, compiled by numba: the loop nests, and the arithmetic in them.

What makes it fast: channels are the SIMD lanes (the arrays are channels-last), a task is one image and one block
of channels whose recurrent state stays in cache, the four directions are walked by index over the same
array, and exp and log1p are polynomials with bit-level scaling, because LLVM does not vectorise calls to libm.
The backward pass is given the states at the start of segments of the walk, and makes those between again: what it
holds of a segment stays in cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

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
def _exp_down(x):
    """e**x to 2 ulp for x up to 88, not checked, and from -87, clipped: 1 + x + x**2 times a minimax polynomial."""
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
    """e**x to 2 ulp, for x clipped to the range of float32."""
    return _exp_down(min(x, f4(88.0)))


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
    return max(x, f4(0)) + _log1p(_exp_down(-abs(x)))


@nb.njit(fastmath=True, inline="always")
def _slope(s):
    """Derivative of softplus where its value is s: 1 - e**-s, by a series where that would cancel."""
    return s - s * s * (f4(0.5) - s * f4(0.16666667)) if s < f4(0.02) else f4(1) - _exp_down(-s)


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
def forward_task(
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
    segment,
    task,
    y,
    kept,
):
    """One image and one block of channels, all directions. u, y: (batch, length, channel), each in its own type.

    If `segment` is positive, the state before each segment of so many steps is kept.
    """
    length, channels = u.shape[1], u.shape[2]
    directions, states = A.shape[0], A.shape[1]
    blocks = (channels + block - 1) // block
    b, first = task // blocks, (task % blocks) * block
    size = min(block, channels - first)
    h = np.empty((states, block), f4)
    step = np.empty(block, f4)
    inflow = np.empty(block, f4)
    # The sum of the directions, of this task alone: in y, the lines of two tasks lie side by side, and what a core
    # fetches ahead of its own part is what the other one writes. That doubles the time.
    total = np.empty((length, block), f4)
    skip = np.zeros(block, f4)  # of all directions, once
    for k in range(directions):
        for j in range(size):
            skip[j] += D[k, first + j]
    for k in range(directions):
        h[:] = f4(0)
        bias_k = bias[k, first : first + size]
        for t in range(length):
            if segment > 0 and t % segment == 0:
                for n in range(states):
                    kept_n = kept[b, k, t // segment, n, first : first + size]
                    for j in range(size):
                        kept_n[j] = h[n, j]
            p = _position(k, t, height, width)
            u_p = u[b, p, first : first + size]
            out = total[p]
            _step_sizes(step, size, delta, steps, weight, bias_k, softplus, k, b, p, first)
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
def backward_task(
    gy,
    kept,
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
    segment,
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
    segments = (length + segment - 1) // segment
    h = np.empty((segment + 1, states, block), f4)
    gain = np.empty((segment, states, block), f4)
    step = np.empty((segment, block), f4)
    carry = np.empty((states, block), f4)
    pull_u = np.empty(block, f4)
    pull_step = np.empty(block, f4)
    x = np.empty(block, f4)
    g = np.empty(block, f4)
    gd = np.empty(block, f4)
    total_u = np.empty(
        (length, block), f4
    )  # of this task alone, as in the forward pass, and so are these
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
                kept_n = kept[b, k, at, n, first : first + size]
                for j in range(size):
                    h[0, n, j] = kept_n[j]
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
                    pull_u[j] = f4(0)
                    pull_step[j] = f4(0)
                for n in range(states):
                    gate_in, gate_out = _wide(B[b, p, k, n]), _wide(C[b, p, k, n])
                    A_n = A[k, n, first : first + size]
                    gA_n = sum_A[n]
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
                    sum_bias[j] += gd[j]
                    sum_D[j] += g[j] * x[j]
                    into_u = pull_u[j] * s[j] + skip_k[j] * g[j]
                    gu_p[j] = into_u if k == 0 else gu_p[j] + into_u
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
