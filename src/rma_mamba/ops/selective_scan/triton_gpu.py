"""The selective scan on a GPU, in Triton: no extension to build, the same file for every card.

The recurrence h[t] = a[t] h[t-1] + b[t] is associative, so a walk is cut into chunks that run side by side:

1. `_aggregate` makes of each chunk the one map h -> a h + b that it is (and, for the gradients, the one of the
   walk backwards);
2. `_carry` chains these few maps, which gives the state that enters each chunk;
3. `_outputs` or `_gradients` walk each chunk again from that state.

A program holds one chunk of positions and one block of channels, for the two directions that walk the same line
both ways: u is read once for both, and their results are added before they are written. Rows are one launch and
columns the next, which adds to what the first has written: always in the same order, so that the same inputs
give the same bits. Step sizes of low rank are made where they are used.

States and sums are float32; u, delta and the gates may be of half precision. Where two things are summed over
programs (over positions or over channels), every program writes its part and torch adds the parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from rma_mamba.ops.selective_scan import gradients

POSITIONS = 64  # of a chunk
CHANNELS = 32  # of a block: 64 or 128 bytes, one or two sectors, next to each other


@triton.jit
def _join(a_first, b_first, a_second, b_second):
    """Two steps of a recurrence as one."""
    return a_first * a_second, a_second * b_first + b_second


@triton.jit
def _softplus(x):
    """log(1 + e**x); where e**x would round 1 + e**x away, e**x itself."""
    y = tl.exp(-tl.abs(x))
    u = 1.0 + y
    # log(u) * y / (u - 1) undoes the rounding of u (Kahan)
    log1p = tl.where(u == 1.0, y, tl.log(u) * (y / tl.where(u == 1.0, 1.0, u - 1.0)))
    return tl.maximum(x, 0.0) + log1p


@triton.jit
def _places(t, height, width, COLUMNS: tl.constexpr):
    """Row-major positions of steps along rows or along columns."""
    return (t % height) * width + t // height if COLUMNS else t


@triton.jit
def _tile(
    b, chunk, block, height, width, channels,
    COLUMNS: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Steps, channels, positions, and where they lie in a map [position, channel] and whether they do."""
    length = height * width
    t = chunk * POSITIONS + tl.arange(0, POSITIONS)
    c = block * CHANNELS + tl.arange(0, CHANNELS)
    place = tl.where(t < length, _places(t, height, width, COLUMNS), length)
    spot = (b * length + place[:, None]) * channels + c[None, :]
    return t, c, place, spot, (t < length)[:, None] & (c < channels)[None, :]


@triton.jit
def _step_sizes(
    delta, gates, weight, bias, b, k, place, c, inside, batch, length, channels,
    RANK: tl.constexpr, GATES: tl.constexpr, DIRECTIONS: tl.constexpr, SOFTPLUS: tl.constexpr,
):  # fmt: skip
    """[position, channel], 0 where there is nothing (a step that changes nothing)."""
    raw = tl.where(inside, tl.load(bias + k * channels + c, c < channels, 0.0)[None, :], 0.0)
    if RANK == 0:
        at = ((k * batch + b) * length + place[:, None]) * channels + c[None, :]
        raw += tl.load(delta + at, inside, 0.0).to(tl.float32)
    else:
        row = ((b * length + place) * DIRECTIONS + k) * GATES
        for r in range(RANK):
            step = tl.load(gates + row + r, place < length, 0.0).to(tl.float32)
            w = tl.load(weight + (k * channels + c) * RANK + r, c < channels, 0.0).to(tl.float32)
            raw += step[:, None] * w[None, :]
    step = _softplus(raw) if SOFTPLUS else raw
    return tl.where(inside, step, 0.0)


@triton.jit
def _next_step_sizes(
    delta, gates, weight, bias, b, k, t, c, batch, height, width, channels,
    WAY: tl.constexpr, COLUMNS: tl.constexpr, RANK: tl.constexpr, GATES: tl.constexpr,
    DIRECTIONS: tl.constexpr, SOFTPLUS: tl.constexpr,
):  # fmt: skip
    """Those of the positions that follow in the walk, upwards (0) or downwards (1); 0 where none does."""
    length = height * width
    after = t + 1 if WAY == 0 else t - 1
    follows = (after >= 0) & (after < length) & (t < length)
    place = tl.where(follows, _places(after, height, width, COLUMNS), length)
    inside = follows[:, None] & (c < channels)[None, :]
    return _step_sizes(
        delta, gates, weight, bias, b, k, place, c, inside, batch, length, channels,
        RANK, GATES, DIRECTIONS, SOFTPLUS,
    )  # fmt: skip


@triton.jit
def _gate(gates, b, k, place, length, number, GATES: tl.constexpr, DIRECTIONS: tl.constexpr):
    """One number of each position, [position, 1], as float32."""
    at = ((b * length + place) * DIRECTIONS + k) * GATES + number
    return tl.load(gates + at, place < length, 0.0).to(tl.float32)[:, None]


@triton.jit
def _aggregate(
    u, delta, gates, weight, A, bias, grad_y, into, out_of, back_into, back_out_of,
    batch, height, width, channels, chunks,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, STATES: tl.constexpr, DIRECTIONS: tl.constexpr,
    SOFTPLUS: tl.constexpr, BACK: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """What a chunk makes of a state that enters it: into * state + out_of."""
    # into and out_of: (batch, direction, chunk, state, channel)
    GATES: tl.constexpr = RANK + 2 * STATES
    length = height * width
    chunk, block, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    t, c, place, spot, inside = _tile(
        b, chunk, block, height, width, channels, COLUMNS, POSITIONS, CHANNELS
    )
    x = tl.load(u + spot, inside, 0.0).to(tl.float32)
    if BACK:
        g = tl.load(grad_y + spot, inside, 0.0).to(tl.float32)
    for way in tl.static_range(2):
        k = 2 * way + (1 if COLUMNS else 0)
        if k < DIRECTIONS:
            step = _step_sizes(
                delta, gates, weight, bias, b, k, place, c, inside, batch, length, channels,
                RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            # the last step of the walk in this chunk, and the first
            last = POSITIONS - 1 if way == 0 else 0
            first = 0 if way == 0 else POSITIONS - 1
            order = tl.arange(0, POSITIONS)[:, None]
            if BACK:
                next_step = _next_step_sizes(
                    delta, gates, weight, bias, b, k, t, c, batch, height, width, channels,
                    way, COLUMNS, RANK, GATES, DIRECTIONS, SOFTPLUS,
                )  # fmt: skip
            for n in tl.static_range(STATES):
                rate = tl.load(A + (k * channels + c) * STATES + n, c < channels, 0.0)[None, :]
                gate_in = _gate(gates, b, k, place, length, RANK + n, GATES, DIRECTIONS)
                a = tl.exp(step * rate)
                a_all, b_all = tl.associative_scan(
                    (a, step * gate_in * x), 0, _join, reverse=way == 1
                )
                at = (((b * DIRECTIONS + k) * chunks + chunk) * STATES + n) * channels + c
                tl.store(into + at, tl.sum(tl.where(order == last, a_all, 0.0), 0), c < channels)
                tl.store(out_of + at, tl.sum(tl.where(order == last, b_all, 0.0), 0), c < channels)
                if BACK:
                    gate_out = _gate(
                        gates, b, k, place, length, RANK + STATES + n, GATES, DIRECTIONS
                    )
                    a = tl.exp(next_step * rate)
                    a_all, b_all = tl.associative_scan(
                        (a, gate_out * g), 0, _join, reverse=way == 0
                    )
                    tl.store(
                        back_into + at,
                        tl.sum(tl.where(order == first, a_all, 0.0), 0),
                        c < channels,
                    )
                    tl.store(
                        back_out_of + at,
                        tl.sum(tl.where(order == first, b_all, 0.0), 0),
                        c < channels,
                    )


@triton.jit
def _carry(
    into, out_of, chunks, rows, DIRECTIONS: tl.constexpr, BACK: tl.constexpr, LANES: tl.constexpr
):
    """The state that enters each chunk, written over `out_of`; chunks are walked as the direction walks."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    batch_direction = tl.program_id(1).to(tl.int64)
    backwards = (batch_direction % DIRECTIONS) >= 2
    if BACK:
        backwards = backwards == 0
    state = tl.zeros([LANES], tl.float32)
    for i in range(chunks):
        chunk = tl.where(backwards, chunks - 1 - i, i)
        at = (batch_direction * chunks + chunk) * rows + lane
        a = tl.load(into + at, lane < rows, 1.0)
        leaving = tl.load(out_of + at, lane < rows, 0.0)
        tl.store(out_of + at, state, lane < rows)
        state = a * state + leaving


@triton.jit
def _outputs(
    u, delta, gates, weight, A, D, bias, states, y,
    batch, height, width, channels, chunks,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, STATES: tl.constexpr, DIRECTIONS: tl.constexpr,
    SOFTPLUS: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y of a chunk, from the states that enter it; columns add to what rows have written."""
    GATES: tl.constexpr = RANK + 2 * STATES
    length = height * width
    chunk, block, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    _, c, place, spot, inside = _tile(
        b, chunk, block, height, width, channels, COLUMNS, POSITIONS, CHANNELS
    )
    x = tl.load(u + spot, inside, 0.0).to(tl.float32)
    out = tl.load(y + spot, inside, 0.0) if COLUMNS else tl.zeros([POSITIONS, CHANNELS], tl.float32)
    for way in tl.static_range(2):
        k = 2 * way + (1 if COLUMNS else 0)
        if k < DIRECTIONS:
            step = _step_sizes(
                delta, gates, weight, bias, b, k, place, c, inside, batch, length, channels,
                RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            out += x * tl.load(D + k * channels + c, c < channels, 0.0)[None, :]
            for n in tl.static_range(STATES):
                rate = tl.load(A + (k * channels + c) * STATES + n, c < channels, 0.0)[None, :]
                gate_in = _gate(gates, b, k, place, length, RANK + n, GATES, DIRECTIONS)
                gate_out = _gate(gates, b, k, place, length, RANK + STATES + n, GATES, DIRECTIONS)
                pair = (tl.exp(step * rate), step * gate_in * x)
                a_all, b_all = tl.associative_scan(pair, 0, _join, reverse=way == 1)
                at = (((b * DIRECTIONS + k) * chunks + chunk) * STATES + n) * channels + c
                entering = tl.load(states + at, c < channels, 0.0)[None, :]
                out += gate_out * (a_all * entering + b_all)
    tl.store(y + spot, out, inside)


@triton.jit
def _gradients(
    grad_y, u, delta, gates, weight, A, D, bias, states, back_states,
    gu, gdelta, ggates, gweight, gA, gD, gbias,
    batch, height, width, channels, chunks,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, STATES: tl.constexpr, DIRECTIONS: tl.constexpr,
    SOFTPLUS: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """All gradients of a chunk. Of what is summed over chunks or blocks, the part of this one."""
    GATES: tl.constexpr = RANK + 2 * STATES
    length = height * width
    chunk, block, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    t, c, place, spot, inside = _tile(
        b, chunk, block, height, width, channels, COLUMNS, POSITIONS, CHANNELS
    )
    x = tl.load(u + spot, inside, 0.0).to(tl.float32)
    g = tl.load(grad_y + spot, inside, 0.0).to(tl.float32)
    into_u = (
        tl.load(gu + spot, inside, 0.0) if COLUMNS else tl.zeros([POSITIONS, CHANNELS], tl.float32)
    )
    for way in tl.static_range(2):
        k = 2 * way + (1 if COLUMNS else 0)
        if k < DIRECTIONS:
            step = _step_sizes(
                delta, gates, weight, bias, b, k, place, c, inside, batch, length, channels,
                RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            next_step = _next_step_sizes(
                delta, gates, weight, bias, b, k, t, c, batch, height, width, channels,
                way, COLUMNS, RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            into_u += g * tl.load(D + k * channels + c, c < channels, 0.0)[None, :]
            into_step = tl.zeros([POSITIONS, CHANNELS], tl.float32)
            # parts summed over positions: (batch, chunk, direction, ...); over channels: (block, batch, position, ...)
            part = (b * chunks + chunk) * DIRECTIONS + k
            row = (((block * batch + b) * length + place) * DIRECTIONS + k) * GATES
            for n in tl.static_range(STATES):
                rate = tl.load(A + (k * channels + c) * STATES + n, c < channels, 0.0)[None, :]
                gate_in = _gate(gates, b, k, place, length, RANK + n, GATES, DIRECTIONS)
                gate_out = _gate(gates, b, k, place, length, RANK + STATES + n, GATES, DIRECTIONS)
                at = (((b * DIRECTIONS + k) * chunks + chunk) * STATES + n) * channels + c
                inflow = step * gate_in * x
                a_all, b_all = tl.associative_scan(
                    (tl.exp(step * rate), inflow), 0, _join, reverse=way == 1
                )
                h = a_all * tl.load(states + at, c < channels, 0.0)[None, :] + b_all
                pair = (tl.exp(next_step * rate), gate_out * g)
                a_all, b_all = tl.associative_scan(pair, 0, _join, reverse=way == 0)
                gh = a_all * tl.load(back_states + at, c < channels, 0.0)[None, :] + b_all
                # gh * a[t] * h[t-1]; where a is tiny the difference is rounding, and so is the product
                through = gh * (h - inflow)
                into_step += through * rate + gh * gate_in * x
                into_u += gh * gate_in * step
                tl.store(ggates + row + RANK + n, tl.sum(gh * step * x, 1), t < length)
                tl.store(ggates + row + RANK + STATES + n, tl.sum(g * h, 1), t < length)
                tl.store(
                    gA + (part * channels + c) * STATES + n, tl.sum(through * step, 0), c < channels
                )
            # the slope of softplus where its value is s is 1 - e**-s; a series where that would cancel
            near = step - step * step * (0.5 - step * (1.0 / 6.0))
            slope = tl.where(step < 0.02, near, 1.0 - tl.exp(-step)) if SOFTPLUS else 1.0
            gd = tl.where(inside, into_step * slope, 0.0)
            tl.store(gbias + part * channels + c, tl.sum(gd, 0), c < channels)
            tl.store(gD + part * channels + c, tl.sum(g * x, 0), c < channels)
            if RANK == 0:
                at_delta = ((k * batch + b) * length + place[:, None]) * channels + c[None, :]
                tl.store(gdelta + at_delta, gd, inside)
            else:
                for r in range(RANK):
                    w = tl.load(weight + (k * channels + c) * RANK + r, c < channels, 0.0).to(
                        tl.float32
                    )
                    tl.store(ggates + row + r, tl.sum(gd * w[None, :], 1), t < length)
                    gate = _gate(gates, b, k, place, length, r, GATES, DIRECTIONS)
                    tl.store(
                        gweight + (part * channels + c) * RANK + r,
                        tl.sum(gd * gate, 0),
                        c < channels,
                    )
    tl.store(gu + spot, into_u, inside)


@dataclass(frozen=True)
class _Scan:
    """The tensors of one call, contiguous. `delta` is used where the rank is 0, `weight` where it is not.

    Args:
        u: (batch, height, width, channel).
        delta: (direction, batch, height, width, channel), or anything.
        gates: (batch, height, width, direction, rank + 2 states).
        weight: (direction, channel, rank).
        A: (direction, channel, state), as D (direction, channel) and bias float32.
        D: Skip.
        bias: Of delta.
        softplus: Whether softplus makes step sizes positive.
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
        return triton.cdiv(self.u.shape[1] * self.u.shape[2], POSITIONS)

    @property
    def blocks(self) -> int:
        return triton.cdiv(self.u.shape[3], CHANNELS)

    def _launch(self, kernel, *tensors, **options) -> None:
        """Run a kernel over chunks, blocks and images: rows, then columns."""
        batch, height, width, channels = self.u.shape
        directions, _, states = self.A.shape
        for columns in (False, True)[: min(directions, 2)]:
            kernel[(self.chunks, self.blocks, batch)](
                *tensors,
                batch,
                height,
                width,
                channels,
                self.chunks,
                COLUMNS=columns,
                RANK=self.weight.shape[2],
                STATES=states,
                DIRECTIONS=directions,
                SOFTPLUS=self.softplus,
                POSITIONS=POSITIONS,
                CHANNELS=CHANNELS,
                **options,
            )

    def _edges(self, grad_y: Tensor | None) -> tuple[Tensor, Tensor]:
        """States that enter each chunk, forwards and (if a gradient is given) backwards."""
        batch, channels = self.u.shape[0], self.u.shape[3]
        directions, _, states = self.A.shape
        rows, lanes = states * channels, 128
        into, out_of, back_into, back_out_of = (
            self.A.new_empty(batch, directions, self.chunks, rows) for _ in range(4)
        )
        self._launch(
            _aggregate,
            self.u, self.delta, self.gates, self.weight, self.A, self.bias,
            self.u if grad_y is None else grad_y, into, out_of, back_into, back_out_of,
            BACK=grad_y is not None,
        )  # fmt: skip
        grid = (triton.cdiv(rows, lanes), batch * directions)
        sizes = (self.chunks, rows)
        _carry[grid](into, out_of, *sizes, DIRECTIONS=directions, BACK=False, LANES=lanes)
        if grad_y is not None:
            _carry[grid](
                back_into, back_out_of, *sizes, DIRECTIONS=directions, BACK=True, LANES=lanes
            )
        return out_of, back_out_of

    def forward(self) -> Tensor:
        """y, float32."""
        states, _ = self._edges(None)
        y = self.A.new_empty(self.u.shape)
        self._launch(
            _outputs,
            self.u, self.delta, self.gates, self.weight, self.A, self.D, self.bias, states, y,
        )  # fmt: skip
        return y

    def backward(self, grad_y: Tensor) -> dict[str, Tensor]:
        """Gradients by the name of the input, float32 except that of delta."""
        batch, height, width, channels = self.u.shape
        directions, _, states = self.A.shape
        rank, length = self.weight.shape[2], height * width
        edges = self._edges(grad_y)
        new = self.A.new_empty
        gu, gdelta = new(self.u.shape), torch.empty_like(self.delta)
        ggates = new(self.blocks, batch, length, directions, rank + 2 * states)
        parts = (batch, self.chunks, directions, channels)
        gweight, gA, gD, gbias = new(*parts, rank), new(*parts, states), new(parts), new(parts)
        self._launch(
            _gradients,
            grad_y, self.u, self.delta, self.gates, self.weight, self.A, self.D, self.bias, *edges,
            gu, gdelta, ggates, gweight, gA, gD, gbias,
        )  # fmt: skip
        summed = {"weight": gweight, "A": gA, "D": gD, "bias": gbias}
        return {
            "u": gu,
            "delta": gdelta,
            "gates": ggates.sum(0),
            **{name: each.sum((0, 1)) for name, each in summed.items()},
        }


def _given(u, delta, A, B, C, D, bias, softplus) -> _Scan:
    """A scan whose step sizes are given."""
    gates = torch.cat([B, C], dim=-1)
    small = [each.float().contiguous() for each in (A, D, bias)]
    weight = u.new_empty(A.shape[0], u.shape[3], 0)
    return _Scan(u.contiguous(), delta.contiguous(), gates, weight, *small, softplus)


def _made(u, gates, weight, A, D, bias) -> _Scan:
    """A scan whose step sizes are made where they are used."""
    small = [each.float().contiguous() for each in (A, D, bias)]
    return _Scan(u.contiguous(), u, gates.contiguous(), weight.contiguous(), *small, True)


def kept_shape(u: tuple[int, ...], A: tuple[int, ...]) -> tuple[int, ...]:
    """Nothing is kept: states are made again, chunk by chunk, side by side."""
    return (0,)


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
    """y (batch, height, width, channel), in u's type; the state is float32 whatever that is."""
    y = _given(u, delta, A, B, C, D, bias, softplus).forward().to(u.dtype)
    return y, y.new_empty(0, dtype=torch.float32)


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
    found = _given(u, delta, A, B, C, D, bias, softplus).backward(grad_y.contiguous())
    return gradients.of_scan(found, (u, delta, A, B, C, D, bias))


def cross_forward(
    u: Tensor, gates: Tensor, weight: Tensor, A: Tensor, D: Tensor, bias: Tensor, keep: bool
) -> tuple[Tensor, Tensor]:
    """y of a cross scan, as `forward`."""
    y = _made(u, gates, weight, A, D, bias).forward().to(u.dtype)
    return y, y.new_empty(0, dtype=torch.float32)


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
    found = _made(u, gates, weight, A, D, bias).backward(grad_y.contiguous())
    return gradients.of_cross_scan(found, (u, gates, weight, A, D, bias))
