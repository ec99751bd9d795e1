"""CPU kernels of the selective scan, compiled by numba: the loop nests and their arithmetic.

Why they are fast: channels map to SIMD lanes (the arrays are channels-last), and what is computed of 16 channels stays
in registers; a few positions are computed at a time, so that parameters are read once for all of them; a task is one
image and one block of channels whose recurrent state stays in cache; all directions index the same array; exp and log1p
are polynomials with bit-level scaling. The backward pass starts from the states saved at segment boundaries and
recomputes the states in between, so that the working set of a segment stays in cache.

The number of channels is a multiple of `WIDTH`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

from rma_mamba.ops.selective_scan.kernel_cache import cache_on_disk
from rma_mamba.ops.selective_scan.numba_lanes import (
    WIDTH,
    fill,
    floor,
    fma,
    load,
    power_of_two,
    splat,
    store,
    total,
    where_less,
)

if hasattr(os, "register_at_fork"):  # not on Windows
    # a fork while another thread compiles would leave the child with a lock that nobody releases
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

CHUNK: Final = 8  # positions of which one vector after the other is computed: their values fit into the L1 cache

f4 = np.float32


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
        block: Channels of one task, a multiple of `WIDTH`.
        segment: Steps between two saved states; 0 in a forward pass that saves none.
    """

    softplus: bool
    height: int
    width: int
    block: int
    segment: int


def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call, and cache on disk where numba finds a writable folder."""
    # Without numba's runtime: counting references to arrays took most of the time of the innermost loop.
    return cache_on_disk(nb.njit(nogil=True, error_model="numpy", _nrt=False)(function))


@intrinsic
def _wide(typing_context: Any, x: Any) -> Any:
    """Load as float32: a float32, or the bits of a bfloat16."""

    def from_float(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    def from_bits(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.zext(args[0], ir.IntType(32))
        return builder.bitcast(builder.shl(word, ir.IntType(32)(16)), ir.FloatType())

    return types.float32(x), from_float if x == types.float32 else from_bits


@nb.njit(inline="always")
def _exp_down(x):
    """e**x to 2 ulp: 1 + x + x**2 times a minimax polynomial. Clips x below at -87; x above 88 is not handled."""
    x = where_less(x, f4(-87.0), f4(-87.0), x)
    n = floor(fma(x, f4(1.44269504), f4(0.5)))
    f = fma(n, f4(2.12194440e-4), fma(n, f4(-0.693359375), x))
    p = fma(f, f4(0.0013814599), f4(0.008368717))
    p = fma(p, f, f4(0.04166839))
    p = fma(p, f, f4(0.16666521))
    p = fma(p, f, f4(0.49999994))
    return fma(p, f * f, f + f4(1)) * power_of_two(n)


@nb.njit(inline="always")
def _exp(x):
    """e**x to 2 ulp, with x clipped to the range of float32."""
    return _exp_down(where_less(x, f4(88.0), x, f4(88.0)))


@nb.njit(inline="always")
def _log1p(y):
    """log(1 + y) for y in [0, 1], as y times a minimax polynomial; relative error at most 2e-7, even for tiny y."""
    p = fma(y, f4(0.005232668947428465), f4(-0.029505137354135513))
    p = fma(p, y, f4(0.07822578400373459))
    p = fma(p, y, f4(-0.13663232326507568))
    p = fma(p, y, f4(0.19106000661849976))
    p = fma(p, y, f4(-0.2484298050403595))
    p = fma(p, y, f4(0.3331909775733948))
    p = fma(p, y, f4(-0.4999949336051941))
    p = fma(p, y, f4(0.9999999403953552))
    return p * y


@nb.njit(inline="always")
def _softplus(x):
    """log(1 + e**x) without overflow."""
    negative = f4(0) - x
    below = where_less(x, negative, x, negative)  # -abs(x)
    return where_less(x, f4(0), f4(0), x) + _log1p(_exp_down(below))


@nb.njit(inline="always")
def _slope(s):
    """Derivative of softplus where its value is s: 1 - e**-s, or a series for small s to avoid cancellation."""
    near = s - s * s * (f4(0.5) - s * f4(0.16666667))
    return where_less(s, f4(0.02), near, f4(1) - _exp_down(f4(0) - s))


@nb.njit(inline="always")
def _position(k, t, height, width):
    """Row-major position of step t in direction k (rows, columns, reversed rows, reversed columns)."""
    if k >= 2:
        t = height * width - 1 - t
    if k % 2 == 1:
        return (t % height) * width + t // height
    return t


@nb.njit(inline="always")
def _pack(packed, bias, weight, A, k, first, size):
    """Bias, projection to step sizes and decay rates of a direction: one row of 16 channels after the other."""
    rank, channels, states = weight.shape[1], weight.shape[2], A.shape[1]
    row = 0
    for j in range(first, first + size, WIDTH):
        store(packed, row, load(bias, k * channels + j))
        for r in range(rank):
            store(packed, row + (1 + r) * WIDTH, load(weight, (k * rank + r) * channels + j))
        for n in range(states):
            A_n = load(A, (k * states + n) * channels + j)
            store(packed, row + (1 + rank + n) * WIDTH, A_n)
        row += (1 + rank + states) * WIDTH


@nb.njit(inline="always")
def _gather(places, gates, shape, steps, B, C, k, b, t, count):
    """Positions of `count` steps from t on in direction k, and their low-rank step sizes, B and C as float32."""
    height, width = shape
    rank, states = steps.shape[3], B.shape[3]
    at = 0
    for i in range(count):
        p = _position(k, t + i, height, width)
        places[i] = p
        for r in range(rank):
            gates[at + r] = _wide(steps[b, p, k, r])
        for n in range(states):
            gates[at + rank + n] = _wide(B[b, p, k, n])
            gates[at + rank + states + n] = _wide(C[b, p, k, n])
        at += rank + 2 * states


@nb.njit(inline="always")
def _products(out, packed, row, gates, rank, gate_count, count):
    """Step sizes before softplus of 16 channels at `count` positions, one row of `out` each: steps times weight."""
    i = 0
    bias = load(packed, row)
    while i + 4 <= count:  # each weight is read once for four positions
        one, two, three, four = bias, bias, bias, bias
        at = i * gate_count
        for r in range(rank):
            weight = load(packed, row + (1 + r) * WIDTH)
            one = fma(weight, fill(gates, at + r), one)
            two = fma(weight, fill(gates, at + gate_count + r), two)
            three = fma(weight, fill(gates, at + 2 * gate_count + r), three)
            four = fma(weight, fill(gates, at + 3 * gate_count + r), four)
        store(out, i * WIDTH, one)
        store(out, (i + 1) * WIDTH, two)
        store(out, (i + 2) * WIDTH, three)
        store(out, (i + 3) * WIDTH, four)
        i += 4
    while i < count:
        one = bias
        for r in range(rank):
            one = fma(load(packed, row + (1 + r) * WIDTH), fill(gates, i * gate_count + r), one)
        store(out, i * WIDTH, one)
        i += 1


@nb.njit(inline="always")
def _step_sizes(out, packed, row, gates, rank, gate_count, count, delta, start, places, softplus):
    """Step sizes of 16 channels at `count` positions: read from delta or, if the rank is not 0, steps times weight."""
    if rank > 0:
        _products(out, packed, row, gates, rank, gate_count, count)
    else:
        channels = delta.shape[3]
        for i in range(count):
            value = load(delta, start + places[i] * channels) + load(packed, row)
            store(out, i * WIDTH, value)
    if softplus:
        for i in range(count):
            store(out, i * WIDTH, _softplus(load(out, i * WIDTH)))


def forward_workspace(layout: Layout, length: int, rank: int, states: int) -> int:
    """How many float32 `forward_task` needs for intermediate values."""
    return layout.block * (length + 2 + rank + 2 * states) + CHUNK * (WIDTH + rank + 2 * states)


@_kernel
def forward_task(scan, layout, task, y, saved, work, places):
    """Scan one image and one block of channels in all directions; y is (batch, position, channel).

    If the layout has segments, the state before each segment is saved. `work` and `places` are memory of this task.
    """
    u, delta, steps, weight, A, B, C, D, bias = scan
    softplus, height, width, block, segment = layout
    batch, length, channels = u.shape
    directions, states, rank = A.shape[0], A.shape[1], steps.shape[3]
    blocks = (channels + block - 1) // block
    b, first = task // blocks, (task % blocks) * block
    size = min(block, channels - first)
    segments = (length + segment - 1) // segment if segment > 0 else 0
    gate_count = rank + 2 * states
    # The sum of the directions, private to this task: neighbouring tasks share cache lines of y, and what one core
    # prefetches the other one writes. Summing in y directly takes twice as long.
    sums, work = work[: length * block], work[length * block :]
    skip, work = work[:block], work[block:]
    h, work = work[: states * block], work[states * block :]
    step, work = work[: CHUNK * WIDTH], work[CHUNK * WIDTH :]
    packed, gates = work[: (1 + rank + states) * block], work[(1 + rank + states) * block :]
    skip[:] = f4(0)  # summed over directions
    for k in range(directions):
        for j in range(size):
            skip[j] += D[k, first + j]
    for k in range(directions):
        h[:] = f4(0)
        _pack(packed, bias, weight, A, k, first, size)
        t = 0
        while t < length:
            count = min(CHUNK, length - t)
            if segment > 0:
                count = min(count, segment - t % segment)
            if segment > 0 and t % segment == 0:
                at = ((b * directions + k) * segments + t // segment) * states * channels + first
                for n in range(states):
                    for j in range(0, size, WIDTH):
                        store(saved, at + n * channels + j, load(h, n * block + j))
            _gather(places, gates, (height, width), steps, B, C, k, b, t, count)
            row = 0
            for j in range(0, size, WIDTH):
                of_delta = (k * batch + b) * length * channels + first + j
                _step_sizes(
                    step,
                    packed,
                    row,
                    gates,
                    rank,
                    gate_count,
                    count,
                    delta,
                    of_delta,
                    places,
                    softplus,
                )
                row += (1 + rank) * WIDTH
                weight_of_input = load(skip, j)
                for n in range(states):
                    rates, state = load(packed, row), load(h, n * block + j)
                    row += WIDTH
                    for i in range(count):
                        p = places[i]
                        here = (b * length + p) * channels + first + j
                        s, x = load(step, i * WIDTH), load(u, here)
                        gate = i * gate_count + rank + n
                        state = fma(_exp(s * rates), state, (s * x) * fill(gates, gate))
                        first_term = n == 0 and k == 0
                        seen = weight_of_input * x if first_term else load(sums, p * block + j)
                        seen = fma(state, fill(gates, gate + states), seen)
                        if n == states - 1 and k == directions - 1:
                            store(y, here, seen)
                        else:
                            store(sums, p * block + j, seen)
                    store(h, n * block + j, state)
            t += count


def backward_workspace(layout: Layout, length: int, rank: int, states: int) -> int:
    """How many float32 `backward_task` needs for intermediate values."""
    of_segment = layout.segment * (1 + 2 * states) + states
    of_channel = length + of_segment + CHUNK + 3 + 2 * rank + 3 * states
    of_position = WIDTH * (3 + 2 * states) + rank + 2 * states
    return layout.block * of_channel + CHUNK * of_position


@_kernel
def backward_task(scan, layout, task, gy, saved, grads, work, places):
    """Gradients of one image and one block of channels, from the gradient of y and the saved states.

    `work` and `places` are memory of this task.
    """
    u, delta, steps, weight, A, B, C, D, bias = scan
    gu, gdelta, gsteps, gB, gC, gweight, gA, gD, gbias = grads
    softplus, height, width, block, segment = layout
    batch, length, channels = u.shape
    directions, states, rank = A.shape[0], A.shape[1], steps.shape[3]
    blocks = (channels + block - 1) // block
    b, number = task // blocks, task % blocks
    first = number * block
    size = min(block, channels - first)
    segments = (length + segment - 1) // segment
    wide = states * block  # states of one position
    stride = (1 + rank + states) * WIDTH
    gate_count = rank + 2 * states
    sums, work = work[: length * block], work[length * block :]
    h, work = work[: (segment + 1) * wide], work[(segment + 1) * wide :]
    decay, work = work[: segment * wide], work[segment * wide :]
    step, work = work[: segment * block], work[segment * block :]
    gd, work = work[: CHUNK * block], work[CHUNK * block :]
    carry, work = work[:wide], work[wide:]
    packed, work = work[: (1 + rank + states) * block], work[(1 + rank + states) * block :]
    sum_A, work = work[:wide], work[wide:]
    sum_weight, work = work[: rank * block], work[rank * block :]
    sum_D, work = work[:block], work[block:]  # the same in all directions
    sum_bias, work = work[:block], work[block:]
    sum_B, work = work[: CHUNK * states * WIDTH], work[CHUNK * states * WIDTH :]
    sum_C, work = work[: CHUNK * states * WIDTH], work[CHUNK * states * WIDTH :]
    ginput, work = work[: CHUNK * WIDTH], work[CHUNK * WIDTH :]
    gdecay_A, work = work[: CHUNK * WIDTH], work[CHUNK * WIDTH :]
    new_steps, gates = work[: CHUNK * WIDTH], work[CHUNK * WIDTH :]
    sum_D[:] = f4(0)
    for k in range(directions):
        _pack(packed, bias, weight, A, k, first, size)
        carry[:] = f4(0)
        sum_A[:] = f4(0)
        sum_weight[:] = f4(0)
        sum_bias[:] = f4(0)
        for number_of_segment in range(segments - 1, -1, -1):
            start = number_of_segment * segment
            steps_here = min(segment, length - start)
            at = ((b * directions + k) * segments + number_of_segment) * states * channels + first
            for n in range(states):
                for j in range(0, size, WIDTH):
                    store(h, n * block + j, load(saved, at + n * channels + j))
            for t in range(0, steps_here, CHUNK):
                count = min(CHUNK, steps_here - t)
                _gather(places, gates, (height, width), steps, B, C, k, b, start + t, count)
                for j in range(0, size, WIDTH):
                    row = j // WIDTH * stride
                    of_delta = (k * batch + b) * length * channels + first + j
                    _step_sizes(
                        new_steps, packed, row, gates, rank, gate_count, count, delta, of_delta,
                        places, softplus,
                    )  # fmt: skip
                    for i in range(count):
                        store(step, (t + i) * block + j, load(new_steps, i * WIDTH))
                    for n in range(states):
                        of_n = t * wide + n * block + j
                        rates = load(packed, row + (1 + rank + n) * WIDTH)
                        state = load(h, of_n)
                        for i in range(count):
                            x = load(u, (b * length + places[i]) * channels + first + j)
                            s = load(new_steps, i * WIDTH)
                            a = _exp(s * rates)
                            gate = fill(gates, i * gate_count + rank + n)
                            state = fma(a, state, (s * x) * gate)
                            store(decay, of_n, a)
                            store(h, of_n + wide, state)
                            of_n += wide
            chunks = (steps_here + CHUNK - 1) // CHUNK
            for chunk in range(chunks - 1, -1, -1):
                t = chunk * CHUNK
                count = min(CHUNK, steps_here - t)
                _gather(places, gates, (height, width), steps, B, C, k, b, start + t, count)
                sum_B[:] = f4(0)
                sum_C[:] = f4(0)
                for j in range(0, size, WIDTH):
                    for n in range(states):
                        rates = load(packed, j // WIDTH * stride + (1 + rank + n) * WIDTH)
                        passed, of_A = load(carry, n * block + j), load(sum_A, n * block + j)
                        for i in range(count - 1, -1, -1):
                            here = (b * length + places[i]) * channels + first + j
                            x, g = load(u, here), load(gy, here)
                            s = load(step, (t + i) * block + j)
                            gate = i * gate_count + rank + n
                            of_n = (t + i) * wide + n * block + j
                            gh = fma(g, fill(gates, gate + states), passed)
                            passed = gh * load(decay, of_n)
                            gdecay = passed * load(h, of_n)
                            of_A = fma(gdecay, s, of_A)
                            lane = (i * states + n) * WIDTH
                            store(sum_C, lane, fma(g, load(h, of_n + wide), load(sum_C, lane)))
                            store(sum_B, lane, fma(gh * s, x, load(sum_B, lane)))
                            of_input, of_decay = gh * fill(gates, gate), gdecay * rates
                            if n > 0:
                                of_input = load(ginput, i * WIDTH) + of_input
                                of_decay = load(gdecay_A, i * WIDTH) + of_decay
                            store(ginput, i * WIDTH, of_input)
                            store(gdecay_A, i * WIDTH, of_decay)
                        store(carry, n * block + j, passed)
                        store(sum_A, n * block + j, of_A)
                    weight_of_input = load(D, k * channels + first + j)
                    of_bias, of_D = load(sum_bias, j), load(sum_D, j)
                    for i in range(count):
                        p = places[i]
                        here = (b * length + p) * channels + first + j
                        x, g = load(u, here), load(gy, here)
                        s, of_input = load(step, (t + i) * block + j), load(ginput, i * WIDTH)
                        gstep = fma(of_input, x, load(gdecay_A, i * WIDTH))
                        if softplus:
                            gstep = gstep * _slope(s)
                        store(gd, i * block + j, gstep)
                        of_bias = of_bias + gstep
                        seen = fma(of_input, s, weight_of_input * g)
                        if k == 0:
                            of_D = fma(g, x, of_D)
                        else:
                            seen = seen + load(sums, p * block + j)
                        if k == directions - 1:
                            store(gu, here, seen)
                        else:
                            store(sums, p * block + j, seen)
                        if rank == 0:
                            of_delta = ((k * batch + b) * length + p) * channels + first + j
                            store(gdelta, of_delta, gstep)
                    store(sum_bias, j, of_bias)
                    store(sum_D, j, of_D)
                for i in range(count):
                    p = places[i]
                    for n in range(states):
                        lane = (i * states + n) * WIDTH
                        gB[number, b, p, k, n] = total(load(sum_B, lane))
                        gC[number, b, p, k, n] = total(load(sum_C, lane))
                for r in range(rank):
                    of_weight, i = (1 + r) * WIDTH, 0
                    while (
                        i + 2 <= count
                    ):  # weights and their gradients are read once for two positions
                        one, two = splat(f4(0)), splat(f4(0))
                        gate_one = fill(gates, i * gate_count + r)
                        gate_two = fill(gates, (i + 1) * gate_count + r)
                        row = of_weight
                        for j in range(0, size, WIDTH):
                            w, gw = load(packed, row), load(sum_weight, r * block + j)
                            gd_one, gd_two = load(gd, i * block + j), load(gd, (i + 1) * block + j)
                            one, two = fma(gd_one, w, one), fma(gd_two, w, two)
                            gw = fma(gd_two, gate_two, fma(gd_one, gate_one, gw))
                            store(sum_weight, r * block + j, gw)
                            row += stride
                        gsteps[number, b, places[i], k, r] = total(one)
                        gsteps[number, b, places[i + 1], k, r] = total(two)
                        i += 2
                    while i < count:
                        one, row = splat(f4(0)), of_weight
                        gate_one = fill(gates, i * gate_count + r)
                        for j in range(0, size, WIDTH):
                            gd_one, gw = load(gd, i * block + j), load(sum_weight, r * block + j)
                            one = fma(gd_one, load(packed, row), one)
                            store(sum_weight, r * block + j, fma(gd_one, gate_one, gw))
                            row += stride
                        gsteps[number, b, places[i], k, r] = total(one)
                        i += 1
        part = b * directions + k
        for j in range(0, size, WIDTH):
            for n in range(states):
                store(gA, (part * states + n) * channels + first + j, load(sum_A, n * block + j))
            for r in range(rank):
                of_r = (part * rank + r) * channels + first + j
                store(gweight, of_r, load(sum_weight, r * block + j))
            store(gD, part * channels + first + j, load(sum_D, j))
            store(gbias, part * channels + first + j, load(sum_bias, j))
