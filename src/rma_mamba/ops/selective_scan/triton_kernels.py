"""GPU kernels of the selective scan, in Triton.

The recurrence h[t] = a[t] h[t-1] + b[t] is associative, so each scan is cut into chunks that run in parallel:

1. `aggregate` reduces each chunk to the affine map h -> a h + b that it applies (for the gradients, also the one of
   the reverse scan);
2. `carry` composes these few maps into the state that enters each chunk;
3. `outputs` or `gradients` scans each chunk again from that state.

A program handles one chunk of positions and one block of channels, for the two directions that traverse the same line
both ways: u is read once for both, and their results are summed before they are written. Rows are one launch and
columns the next, which adds to what the first has written. The order is always the same, so that equal inputs give
equal bits. Low-rank step sizes are computed where they are used.

States and sums are float32; u, delta and the gates may be half precision. Sums over programs (over positions or over
channels) are left to torch: each program writes its partial sum.
"""

import triton
import triton.language as tl


@triton.jit
def _join(a_first, b_first, a_second, b_second):
    """Compose two steps of a recurrence."""
    return a_first * a_second, a_second * b_first + b_second


@triton.jit
def _softplus(x):
    """log(1 + e**x), or e**x where 1 + e**x rounds to 1."""
    y = tl.exp(-tl.abs(x))
    u = 1.0 + y
    # log(u) * y / (u - 1) cancels the rounding error of u (Kahan).
    log1p = tl.where(u == 1.0, y, tl.log(u) * (y / tl.where(u == 1.0, 1.0, u - 1.0)))
    return tl.maximum(x, 0.0) + log1p


@triton.jit
def _positions(t, height, width, COLUMNS: tl.constexpr):
    """Row-major positions of steps along rows or columns."""
    return (t % height) * width + t // height if COLUMNS else t


@triton.jit
def _tile(
    b, chunk, block, height, width, channels,
    COLUMNS: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Steps, channels, positions, offsets into a [position, channel] map, and the mask of those inside it."""
    length = height * width
    t = chunk * POSITIONS + tl.arange(0, POSITIONS)
    c = block * CHANNELS + tl.arange(0, CHANNELS)
    position = tl.where(t < length, _positions(t, height, width, COLUMNS), length)
    offset = (b * length + position[:, None]) * channels + c[None, :]
    return t, c, position, offset, (t < length)[:, None] & (c < channels)[None, :]


@triton.jit
def _step_sizes(
    delta, gates, weight, bias, b, k, position, c, inside, batch, length, channels,
    RANK: tl.constexpr, GATES: tl.constexpr, DIRECTIONS: tl.constexpr, SOFTPLUS: tl.constexpr,
):  # fmt: skip
    """Step sizes [position, channel]; 0 outside the map, a step that leaves the state unchanged."""
    raw = tl.where(inside, tl.load(bias + k * channels + c, c < channels, 0.0)[None, :], 0.0)
    if RANK == 0:
        at = ((k * batch + b) * length + position[:, None]) * channels + c[None, :]
        raw += tl.load(delta + at, inside, 0.0).to(tl.float32)
    else:
        row = ((b * length + position) * DIRECTIONS + k) * GATES
        for r in range(RANK):
            step = tl.load(gates + row + r, position < length, 0.0).to(tl.float32)
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
    """Step sizes of the next positions in scan order (WAY 0: ascending, 1: descending); 0 past the end."""
    length = height * width
    after = t + 1 if WAY == 0 else t - 1
    follows = (after >= 0) & (after < length) & (t < length)
    position = tl.where(follows, _positions(after, height, width, COLUMNS), length)
    inside = follows[:, None] & (c < channels)[None, :]
    return _step_sizes(
        delta, gates, weight, bias, b, k, position, c, inside, batch, length, channels,
        RANK, GATES, DIRECTIONS, SOFTPLUS,
    )  # fmt: skip


@triton.jit
def _gate(gates, b, k, position, length, number, GATES: tl.constexpr, DIRECTIONS: tl.constexpr):
    """One gate value of each position [position, 1], as float32."""
    at = ((b * length + position) * DIRECTIONS + k) * GATES + number
    return tl.load(gates + at, position < length, 0.0).to(tl.float32)[:, None]


@triton.jit
def aggregate(
    u, delta, gates, weight, A, bias, grad_y, map_a, map_b, back_map_a, back_map_b,
    batch, height, width, channels, chunks,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, STATES: tl.constexpr, DIRECTIONS: tl.constexpr,
    SOFTPLUS: tl.constexpr, BACK: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """The affine map that a chunk applies to the state that enters it: map_a * state + map_b."""
    # map_a and map_b have shape (batch, direction, chunk, state, channel).
    GATES: tl.constexpr = RANK + 2 * STATES
    length = height * width
    chunk, block, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    t, c, position, offset, inside = _tile(
        b, chunk, block, height, width, channels, COLUMNS, POSITIONS, CHANNELS
    )
    x = tl.load(u + offset, inside, 0.0).to(tl.float32)
    if BACK:
        g = tl.load(grad_y + offset, inside, 0.0).to(tl.float32)
    for way in tl.static_range(2):
        k = 2 * way + (1 if COLUMNS else 0)
        if k < DIRECTIONS:
            step = _step_sizes(
                delta, gates, weight, bias, b, k, position, c, inside, batch, length, channels,
                RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            # The last and the first step of this chunk in scan order.
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
                gate_in = _gate(gates, b, k, position, length, RANK + n, GATES, DIRECTIONS)
                a = tl.exp(step * rate)
                a_all, b_all = tl.associative_scan(
                    (a, step * gate_in * x), 0, _join, reverse=way == 1
                )
                at = (((b * DIRECTIONS + k) * chunks + chunk) * STATES + n) * channels + c
                tl.store(map_a + at, tl.sum(tl.where(order == last, a_all, 0.0), 0), c < channels)
                tl.store(map_b + at, tl.sum(tl.where(order == last, b_all, 0.0), 0), c < channels)
                if BACK:
                    gate_out = _gate(
                        gates, b, k, position, length, RANK + STATES + n, GATES, DIRECTIONS
                    )
                    a = tl.exp(next_step * rate)
                    a_all, b_all = tl.associative_scan(
                        (a, gate_out * g), 0, _join, reverse=way == 0
                    )
                    tl.store(
                        back_map_a + at,
                        tl.sum(tl.where(order == first, a_all, 0.0), 0),
                        c < channels,
                    )
                    tl.store(
                        back_map_b + at,
                        tl.sum(tl.where(order == first, b_all, 0.0), 0),
                        c < channels,
                    )


@triton.jit
def carry(
    map_a, map_b, chunks, rows, DIRECTIONS: tl.constexpr, BACK: tl.constexpr, LANES: tl.constexpr
):
    """The state that enters each chunk, written over `map_b`; chunks are visited in scan order."""
    lane = tl.program_id(0) * LANES + tl.arange(0, LANES)
    batch_direction = tl.program_id(1).to(tl.int64)
    backwards = (batch_direction % DIRECTIONS) >= 2
    if BACK:
        backwards = backwards == 0
    state = tl.zeros([LANES], tl.float32)
    for i in range(chunks):
        chunk = tl.where(backwards, chunks - 1 - i, i)
        at = (batch_direction * chunks + chunk) * rows + lane
        a = tl.load(map_a + at, lane < rows, 1.0)
        leaving = tl.load(map_b + at, lane < rows, 0.0)
        tl.store(map_b + at, state, lane < rows)
        state = a * state + leaving


@triton.jit
def outputs(
    u, delta, gates, weight, A, D, bias, states, y,
    batch, height, width, channels, chunks,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, STATES: tl.constexpr, DIRECTIONS: tl.constexpr,
    SOFTPLUS: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y of a chunk, from the state that enters it; the launch for columns adds to that for rows."""
    GATES: tl.constexpr = RANK + 2 * STATES
    length = height * width
    chunk, block, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    _, c, position, offset, inside = _tile(
        b, chunk, block, height, width, channels, COLUMNS, POSITIONS, CHANNELS
    )
    x = tl.load(u + offset, inside, 0.0).to(tl.float32)
    out = (
        tl.load(y + offset, inside, 0.0) if COLUMNS else tl.zeros([POSITIONS, CHANNELS], tl.float32)
    )
    for way in tl.static_range(2):
        k = 2 * way + (1 if COLUMNS else 0)
        if k < DIRECTIONS:
            step = _step_sizes(
                delta, gates, weight, bias, b, k, position, c, inside, batch, length, channels,
                RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            out += x * tl.load(D + k * channels + c, c < channels, 0.0)[None, :]
            for n in tl.static_range(STATES):
                rate = tl.load(A + (k * channels + c) * STATES + n, c < channels, 0.0)[None, :]
                gate_in = _gate(gates, b, k, position, length, RANK + n, GATES, DIRECTIONS)
                gate_out = _gate(
                    gates, b, k, position, length, RANK + STATES + n, GATES, DIRECTIONS
                )
                pair = (tl.exp(step * rate), step * gate_in * x)
                a_all, b_all = tl.associative_scan(pair, 0, _join, reverse=way == 1)
                at = (((b * DIRECTIONS + k) * chunks + chunk) * STATES + n) * channels + c
                entering = tl.load(states + at, c < channels, 0.0)[None, :]
                out += gate_out * (a_all * entering + b_all)
    tl.store(y + offset, out, inside)


@triton.jit
def gradients(
    grad_y, u, delta, gates, weight, A, D, bias, states, back_states,
    gu, gdelta, ggates, gweight, gA, gD, gbias,
    batch, height, width, channels, chunks,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, STATES: tl.constexpr, DIRECTIONS: tl.constexpr,
    SOFTPLUS: tl.constexpr, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """All gradients of a chunk; for sums over chunks or blocks, the partial sum of this one."""
    GATES: tl.constexpr = RANK + 2 * STATES
    length = height * width
    chunk, block, b = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    t, c, position, offset, inside = _tile(
        b, chunk, block, height, width, channels, COLUMNS, POSITIONS, CHANNELS
    )
    x = tl.load(u + offset, inside, 0.0).to(tl.float32)
    g = tl.load(grad_y + offset, inside, 0.0).to(tl.float32)
    gu_tile = (
        tl.load(gu + offset, inside, 0.0)
        if COLUMNS
        else tl.zeros([POSITIONS, CHANNELS], tl.float32)
    )
    for way in tl.static_range(2):
        k = 2 * way + (1 if COLUMNS else 0)
        if k < DIRECTIONS:
            step = _step_sizes(
                delta, gates, weight, bias, b, k, position, c, inside, batch, length, channels,
                RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            next_step = _next_step_sizes(
                delta, gates, weight, bias, b, k, t, c, batch, height, width, channels,
                way, COLUMNS, RANK, GATES, DIRECTIONS, SOFTPLUS,
            )  # fmt: skip
            gu_tile += g * tl.load(D + k * channels + c, c < channels, 0.0)[None, :]
            gstep = tl.zeros([POSITIONS, CHANNELS], tl.float32)
            # Partial sums over positions: (batch, chunk, direction, ...); over channels: (block, batch, position, ...).
            part = (b * chunks + chunk) * DIRECTIONS + k
            row = (((block * batch + b) * length + position) * DIRECTIONS + k) * GATES
            for n in tl.static_range(STATES):
                rate = tl.load(A + (k * channels + c) * STATES + n, c < channels, 0.0)[None, :]
                gate_in = _gate(gates, b, k, position, length, RANK + n, GATES, DIRECTIONS)
                gate_out = _gate(
                    gates, b, k, position, length, RANK + STATES + n, GATES, DIRECTIONS
                )
                at = (((b * DIRECTIONS + k) * chunks + chunk) * STATES + n) * channels + c
                inflow = step * gate_in * x
                a_all, b_all = tl.associative_scan(
                    (tl.exp(step * rate), inflow), 0, _join, reverse=way == 1
                )
                h = a_all * tl.load(states + at, c < channels, 0.0)[None, :] + b_all
                pair = (tl.exp(next_step * rate), gate_out * g)
                a_all, b_all = tl.associative_scan(pair, 0, _join, reverse=way == 0)
                gh = a_all * tl.load(back_states + at, c < channels, 0.0)[None, :] + b_all
                # gh * a[t] * h[t-1]; where a is tiny, both the difference and the product are rounding error.
                gdecay = gh * (h - inflow)
                gstep += gdecay * rate + gh * gate_in * x
                gu_tile += gh * gate_in * step
                tl.store(ggates + row + RANK + n, tl.sum(gh * step * x, 1), t < length)
                tl.store(ggates + row + RANK + STATES + n, tl.sum(g * h, 1), t < length)
                tl.store(
                    gA + (part * channels + c) * STATES + n, tl.sum(gdecay * step, 0), c < channels
                )
            # The derivative of softplus where its value is s: 1 - e**-s, or a series to avoid cancellation.
            near = step - step * step * (0.5 - step * (1.0 / 6.0))
            slope = tl.where(step < 0.02, near, 1.0 - tl.exp(-step)) if SOFTPLUS else 1.0
            gd = tl.where(inside, gstep * slope, 0.0)
            tl.store(gbias + part * channels + c, tl.sum(gd, 0), c < channels)
            tl.store(gD + part * channels + c, tl.sum(g * x, 0), c < channels)
            if RANK == 0:
                at_delta = ((k * batch + b) * length + position[:, None]) * channels + c[None, :]
                tl.store(gdelta + at_delta, gd, inside)
            else:
                for r in range(RANK):
                    w = tl.load(weight + (k * channels + c) * RANK + r, c < channels, 0.0).to(
                        tl.float32
                    )
                    tl.store(ggates + row + r, tl.sum(gd * w[None, :], 1), t < length)
                    gate = _gate(gates, b, k, position, length, r, GATES, DIRECTIONS)
                    tl.store(
                        gweight + (part * channels + c) * RANK + r,
                        tl.sum(gd * gate, 0),
                        c < channels,
                    )
    tl.store(gu + offset, gu_tile, inside)
