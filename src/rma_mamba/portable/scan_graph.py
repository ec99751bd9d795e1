"""The selective scan as a few loops of tensor operations, exact and without overflow.

A scan of n positions is n dependent steps. Here each row of a feature map is a chunk, and all rows run at once:

1. One loop over the columns: the states of every row from a state of zero, and the products of its decays so far.
2. One loop over the rows: the state with which each row starts, from the ends and products of the rows before.
3. A second loop over the columns: the states of step 1, plus those of step 2 times the products, and the outputs.

These are twice the width plus the height steps in place of width times height. Of few slices, a step would be so small
that starting its operators took longer than they do; rows are then cut into as many as eight pieces, which are the
chunks, and step 2 has a loop over the pieces of a row before the one over the rows.

Forms with cumulative sums of logarithms divide by exp(sum), which overflows after about 90 units of decay; here there
are only products of decays, which are at most 1, so a long run fades to zero as it should. The states are float32.

One step works on a slice of the map that fits into a cache, through all operators of the loop; an operator on the whole
map would wait for memory. ONNX Runtime broadcasts a vector slowly, so the bias of the step sizes is a row of a matrix
product. OpenVINO does not accept a loop that uses tensors from outside other than constants; they are states that do
not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from rma_mamba.portable.graph_builder import GraphBuilder
from rma_mamba.portable.graph_layers import softplus, transpose
from rma_mamba.portable.onnx_messages import make_tensor

_PIECES: Final = (1, 2, 4, 8)  # of each row, at most 8 for all slices together

Floats = npt.NDArray[np.float32]


def scan_2d(graph: GraphBuilder, u: str, name: str) -> str:
    """The sum of the scans of a feature map in four directions.

    Args:
        graph: The graph.
        u: Input [slice, height, width, channel].
        name: Module with the parameters, an `SS2D`.

    Returns:
        Output in the shape of the input.
    """
    directions = _directions(graph, name, 4)
    outputs = []
    for first, lines in enumerate((_AlongWidth(graph, u, name), _AlongHeight(graph, u, name))):
        y = _both_ways(graph, lines.chunks, directions[first::2], lines.pieces)
        outputs.append(lines.restored(y))
    return graph.op("Add", graph.op("Add", *outputs), _skipped(graph, u, name))


class _Lines:
    """The rows or columns of a feature map, cut into pieces.

    Attributes:
        pieces: The number of pieces of a line, a vector of one element.
        chunks: The map as [step, slice, line * piece, channel], the pieces of a line one after the other.
    """

    axis: int  # along which the lines run
    to_chunks: tuple[int, ...]
    from_chunks: tuple[int, ...]

    def __init__(self, graph: GraphBuilder, u: str, name: str) -> None:
        self._graph, self._shape = graph, graph.op("Shape", u)
        self._channels = graph.array(f"{name}.out_norm.weight").size
        self.pieces = self._number_of_pieces()
        cut = graph.op("Reshape", u, graph.op("Concat", *self._cut_shape(), axis=0))
        chunks = transpose(graph, cut, self.to_chunks)
        self.chunks = graph.op("Reshape", chunks, graph.integers(0, 0, -1, self._channels))

    def restored(self, y: str) -> str:
        """[step, slice, line * piece, channel] as a map."""
        graph = self._graph
        first, last = graph.integers(0, 0, -1), graph.integers(self._channels)
        shape = graph.op("Concat", first, self.pieces, last, axis=0)
        y = transpose(graph, graph.op("Reshape", y, shape), self.from_chunks)
        return graph.op("Reshape", y, self._shape)

    def _size(self, axis: int) -> str:
        return self._graph.op("Gather", self._shape, self._graph.integers(axis))

    def _number_of_pieces(self) -> str:
        """The largest number that divides a line, or 1 for many slices."""
        graph = self._graph
        numbers = graph.integers(*_PIECES)
        rest = graph.op("Mod", self._size(self.axis), numbers)
        divides = graph.op("Equal", rest, graph.integers(0))
        total = graph.op("Mul", self._size(0), numbers)
        fits = graph.op("And", divides, graph.op("LessOrEqual", total, graph.integers(_PIECES[-1])))
        usable = graph.op("Where", fits, numbers, graph.integers(1))
        return graph.op("ReduceMax", usable, graph.integers(0), keepdims=1)

    def _cut_shape(self) -> list[str]:
        raise NotImplementedError


class _AlongWidth(_Lines):
    axis = 2
    to_chunks, from_chunks = (3, 0, 1, 2, 4), (1, 2, 3, 0, 4)

    def _cut_shape(self) -> list[str]:
        """[slice, height, piece, step, channel]."""
        graph = self._graph
        return [graph.integers(0, 0), self.pieces, graph.integers(-1, self._channels)]


class _AlongHeight(_Lines):
    axis = 1
    to_chunks, from_chunks = (2, 0, 3, 1, 4), (1, 3, 0, 2, 4)

    def _cut_shape(self) -> list[str]:
        """[slice, piece, step, width, channel]."""
        graph = self._graph
        sizes = graph.integers(-1), self._size(2), graph.integers(self._channels)
        return [graph.integers(0), self.pieces, *sizes]


def scan_1d(graph: GraphBuilder, u: str, name: str) -> str:
    """The sum of the scans along the first axis of [slice, position, channel], upwards and downwards.

    Args:
        graph: The graph.
        u: Input.
        name: Module with the parameters, a `ThroughPlaneScan`.
    """
    upwards, downwards = _directions(graph, name, 2)
    y = graph.op("Add", _outputs(graph, u, upwards), _outputs(graph, u, downwards, reverse=True))
    return graph.op("Add", y, _skipped(graph, u, name))


@dataclass(frozen=True, eq=False)
class _Direction:
    """Parameters of one direction of a scan.

    Args:
        gates: Projection of the input to [..., rank + 1 + 2 * state] (column, channel): the low-rank step sizes, a
            column that is to be 1, B and C.
        steps: Projection to step sizes (rank + 1, channel), the bias last.
        A: Decay rates, negative (state, channel).
    """

    gates: Floats
    steps: Floats
    A: Floats

    @property
    def states(self) -> int:
        """State size per channel."""
        return len(self.A)

    @property
    def one(self) -> Floats:
        """What is added to the projection so that the column after the low-rank step sizes is 1."""
        one = np.zeros(len(self.gates), np.float32)
        one[len(self.steps) - 1] = 1
        return one


def _directions(graph: GraphBuilder, name: str, count: int) -> list[_Direction]:
    """The parameters of a module with selective scans."""
    weight, bias = graph.array(f"{name}.dt_projs_weight"), graph.array(f"{name}.dt_projs_bias")
    A = -np.exp(graph.array(f"{name}.A_logs")).reshape(count, bias.shape[1], -1)
    gates = np.insert(graph.array(f"{name}.x_proj_weight"), weight.shape[2], 0, axis=1)
    return [
        _Direction(gates[k], np.vstack([weight[k].T, bias[k]]), A[k].T.copy()) for k in range(count)
    ]


def _skipped(graph: GraphBuilder, u: str, name: str) -> str:
    """What passes by the states: D * u, summed over the directions."""
    channels = graph.array(f"{name}.out_norm.weight").size
    return graph.op(
        "Mul", u, graph.constant(graph.array(f"{name}.Ds").reshape(-1, channels).sum(0))
    )


def _gates(graph: GraphBuilder, u: str, directions: Sequence[_Direction]) -> list[str]:
    """Low-rank step sizes and gates of each direction, from one matrix product."""
    weight = np.concatenate([each.gates for each in directions]).T
    ones = np.concatenate([each.one for each in directions])
    product = graph.op("MatMul", u, graph.weight(weight, channel_axis=1))
    gates = graph.op("Add", product, graph.constant(ones))
    if len(directions) == 1:
        return [gates]
    return graph.ops("Split", len(directions), gates, axis=-1, num_outputs=len(directions))


def _outputs(graph: GraphBuilder, u: str, direction: _Direction, *, reverse: bool = False) -> str:
    """The outputs of the scan of [step, ..., channel] along its first axis, from a state of zero."""
    (gates,) = _gates(graph, u, [direction])
    step = _Step(graph, u, direction)

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        *before, u_step, gates_step = slices
        after, _, C = step(before, u_step, gates_step)
        seen = [graph.op("Mul", *pair) for pair in zip(after, C, strict=True)]
        return after, [_sum(graph, seen)]

    return graph.scan(body, step.filled(0.0), [u, gates], reverse=reverse)[-1]


def _both_ways(graph: GraphBuilder, u: str, directions: Sequence[_Direction], pieces: str) -> str:
    """The sum of a scan along the chunks of [step, slice, chunk, channel], one after the other, and of its reverse."""
    states = directions[0].states
    gates = _gates(graph, u, directions)
    inputs, starts = [], []
    for way, direction in enumerate(directions):
        found = _from_zero(graph, u, gates[way], direction, reverse=way == 1)
        inputs += found.seen
        starts += [
            _chunk_starts(graph, *pair, pieces, reverse=way == 1)
            for pair in zip(found.ends, found.products, strict=True)
        ]

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        before, slices = slices[: len(starts)], slices[len(starts) :]
        terms = []
        for way in range(len(directions)):
            own, *shares = slices[way * (1 + states) :][: 1 + states]
            carried = zip(shares, before[way * states :], strict=False)
            terms += [own, *(graph.op("Mul", *pair) for pair in carried)]
        return [graph.op("Identity", each) for each in before], [_sum(graph, terms)]

    return graph.scan(body, starts, inputs)[-1]


@dataclass(frozen=True)
class _FromZero:
    """Scans of all chunks, each from a state of zero.

    Args:
        seen: What is seen of the states in each step, then for each state the share that is seen of the state before
            the chunk: the product of the decays so far times the output gate. A tensor that is an output of a loop as
            well as a state of it would be copied.
        ends: The last states.
        products: The products of all decays.
    """

    seen: list[str]
    ends: list[str]
    products: list[str]


def _from_zero(
    graph: GraphBuilder, u: str, gates: str, direction: _Direction, *, reverse: bool
) -> _FromZero:
    """The scans of all chunks of [step, slice, chunk, channel], each from a state of zero."""
    states, step = direction.states, _Step(graph, u, direction)

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        before, products = slices[:states], slices[states : 2 * states]
        after, decays, C = step(before, *slices[2 * states :])
        products = [graph.op("Mul", *pair) for pair in zip(decays, products, strict=True)]
        seen = _sum(graph, [graph.op("Mul", *pair) for pair in zip(after, C, strict=True)])
        shares = [graph.op("Mul", *pair) for pair in zip(products, C, strict=True)]
        return [*after, *products], [seen, *shares]

    initial = [*step.filled(0.0), *step.filled(1.0)]
    found = graph.scan(body, initial, [u, gates], reverse=reverse)
    return _FromZero(found[2 * states :], found[:states], found[states : 2 * states])


def _chunk_starts(
    graph: GraphBuilder, end: str, product: str, pieces: str, *, reverse: bool
) -> str:
    """The state before each chunk of [slice, row * piece, channel], from the ends and products of decays of all."""
    shape = graph.op("Shape", end)
    ends = (
        graph.op("Gather", shape, graph.integers(0)),
        graph.op("Gather", shape, graph.integers(2)),
    )
    whole = graph.op("Concat", ends[0], graph.integers(-1), pieces, ends[1], axis=0)
    end, product = (graph.op("Reshape", each, whole) for each in (end, product))

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        state, so_far, piece_end, decay = slices
        after = graph.op("Add", graph.op("Mul", decay, state), piece_end)
        return [after, graph.op("Mul", decay, so_far)], [
            graph.op("Identity", each) for each in (state, so_far)
        ]

    of_row = graph.op("Gather", graph.op("Shape", end), graph.integers(0, 1, 3))
    one = make_tensor(np.ones(1, np.float32))
    initial = [graph.op("ConstantOfShape", of_row), graph.op("ConstantOfShape", of_row, value=one)]
    found = graph.scan(body, initial, [end, product], axis=2, reverse=reverse)
    row_end, row_product, before, decays = found
    start = _row_starts(graph, row_end, row_product, reverse=reverse)
    start = graph.op("Unsqueeze", start, graph.integers(2))
    starts = graph.op("Add", before, graph.op("Mul", decays, start))
    return graph.op("Reshape", starts, shape)


def _row_starts(graph: GraphBuilder, end: str, product: str, *, reverse: bool) -> str:
    """The state before each row of [slice, row, channel], from the ends and the products of decays of all rows."""
    shape = graph.op("Gather", graph.op("Shape", end), graph.integers(0, 2))

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        state, row_end, decay = slices
        after = graph.op("Add", graph.op("Mul", decay, state), row_end)
        return [after], [graph.op("Identity", state)]

    zeros = graph.op("ConstantOfShape", shape)
    return graph.scan(body, [zeros], [end, product], axis=1, reverse=reverse)[1]


class _Step:
    """One step of the recurrences of all lines along the first axis.

    Args:
        graph: The graph.
        u: Input [step, ..., channel].
        direction: Parameters.
    """

    def __init__(self, graph: GraphBuilder, u: str, direction: _Direction) -> None:
        self._graph, self._direction = graph, direction
        self._shape = graph.op("Shape", u, start=1)
        self._steps = graph.constant(direction.steps)
        self._rates = [graph.constant(each) for each in direction.A]

    def filled(self, value: float) -> list[str]:
        """Initial states: a constant in the shape of each."""
        fill = make_tensor(np.array([value], np.float32))
        one = self._graph.op("ConstantOfShape", self._shape, value=fill)
        return [one] * self._direction.states

    def __call__(
        self, before: Sequence[str], u: str, gates: str
    ) -> tuple[list[str], list[str], list[str]]:
        """The new states, the decays and the output gates."""
        graph = self._graph
        low_rank, B, C = _split(graph, gates, self._direction)
        delta = softplus(graph, graph.op("MatMul", low_rank, self._steps))
        inflow = graph.op("Mul", delta, u)
        after, decays = [], []
        for state, rates, gate in zip(before, self._rates, B, strict=True):
            decay = graph.op("Exp", graph.op("Mul", delta, rates))
            kept = graph.op("Mul", decay, state)
            after.append(graph.op("Add", kept, graph.op("Mul", inflow, gate)))
            decays.append(decay)
        return after, decays, C


def _split(
    graph: GraphBuilder, gates: str, direction: _Direction
) -> tuple[str, list[str], list[str]]:
    """Low-rank step sizes with a column of 1, input gates and output gates."""
    states = direction.states
    sizes = graph.integers(len(direction.steps), *[1] * (2 * states))
    low_rank, *both = graph.ops("Split", 1 + 2 * states, gates, sizes, axis=-1)
    return low_rank, both[:states], both[states:]


def _sum(graph: GraphBuilder, terms: Sequence[str]) -> str:
    return reduce(lambda one, other: graph.op("Add", one, other), terms)
