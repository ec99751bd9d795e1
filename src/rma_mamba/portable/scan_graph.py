"""The selective scan as a few loops of tensor operations, exact and without overflow.

A scan of n positions is n dependent steps. Here each row of a feature map is a chunk, and all rows run at once:

1. One loop over the columns: the states of every row from a state of zero, and the products of its decays so far.
2. One loop over the rows: the state with which each row starts, from the ends and products of the rows before.
3. A second loop over the columns: the states of step 1, plus those of step 2 times the products, and the outputs.

These are twice the width plus the height steps in place of width times height. Forms with cumulative sums of logarithms
divide by exp(sum), which overflows after about 90 units of decay; here there are only products of decays, which are at
most 1, so a long run fades to zero as it should. The states are float32.

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

# From channels last to [step, slice, row, channel], and back.
_ALONG_WIDTH: Final = (2, 0, 1, 3), (1, 2, 0, 3)
_ALONG_HEIGHT: Final = (1, 0, 2, 3), (1, 0, 2, 3)

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
    for first, (axes, back) in enumerate((_ALONG_WIDTH, _ALONG_HEIGHT)):
        lines = transpose(graph, u, axes)
        y = _both_ways(graph, lines, directions[first::2])
        outputs.append(transpose(graph, y, back))
    return graph.op("Add", graph.op("Add", *outputs), _skipped(graph, u, name))


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


def _both_ways(graph: GraphBuilder, u: str, directions: Sequence[_Direction]) -> str:
    """The sum of a scan along the lines of [step, slice, row, channel], row after row, and of its reverse."""
    states = directions[0].states
    gates = _gates(graph, u, directions)
    inputs, starts = [], []
    for way, direction in enumerate(directions):
        found, ends, products = _states(graph, u, gates[way], direction, reverse=way == 1)
        inputs += [*found, gates[way]]
        starts += [
            _row_starts(graph, *pair, reverse=way == 1) for pair in zip(ends, products, strict=True)
        ]

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        before, slices = slices[: len(starts)], slices[len(starts) :]
        terms = []
        for way, direction in enumerate(directions):
            of_way = slices[way * (2 * states + 1) :][: 2 * states + 1]
            _, _, C = _split(graph, of_way[-1], direction)
            for n in range(states):
                carried = graph.op("Mul", of_way[states + n], before[way * states + n])
                terms.append(graph.op("Mul", graph.op("Add", of_way[n], carried), C[n]))
        return [graph.op("Identity", each) for each in before], [_sum(graph, terms)]

    return graph.scan(body, starts, inputs)[-1]


def _states(
    graph: GraphBuilder, u: str, gates: str, direction: _Direction, *, reverse: bool
) -> tuple[list[str], list[str], list[str]]:
    """The states along all lines of [step, slice, row, channel], each from a state of zero.

    Returns:
        The states followed by the products of the decays so far, the last states, and the products of all decays.
    """
    states, step = direction.states, _Step(graph, u, direction)

    def body(slices: list[str]) -> tuple[list[str], list[str]]:
        before, products = slices[:states], slices[states : 2 * states]
        after, decays, _ = step(before, *slices[2 * states :])
        products = [graph.op("Mul", *pair) for pair in zip(decays, products, strict=True)]
        # a state is an output of the loop as well: two names
        return [*after, *products], [graph.op("Identity", each) for each in (*after, *products)]

    initial = [*step.filled(0.0), *step.filled(1.0)]
    found = graph.scan(body, initial, [u, gates], reverse=reverse)
    return found[2 * states :], found[:states], found[states : 2 * states]


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
