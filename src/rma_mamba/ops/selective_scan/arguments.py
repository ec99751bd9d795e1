"""Arguments of the two scan operators, checked once and passed as one object from the public function to the backend.

| letter | meaning | in arXiv:2312.00752 |
|---|---|---|
| u | input | x |
| delta | step size before bias and softplus | Δ |
| A | decay rate, negative | A |
| B, C | input gate and output gate of the state | B, C |
| D | skip connection | D |
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from rma_mamba.errors import ConfigError


class ScanArgs(NamedTuple):
    """Arguments of a 2-D scan whose step sizes are stored in full.

    Args:
        u: Input (batch, height, width, channel).
        delta: Step sizes (direction, batch, height, width, channel).
        A: Decay rates (direction, channel, state).
        B: Input gates (batch, height, width, direction, state).
        C: Output gates, shaped like B.
        D: Skip weights (direction, channel).
        delta_bias: Added to delta (direction, channel).
        delta_softplus: Apply softplus to delta + bias.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    delta_bias: Tensor
    delta_softplus: bool

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensor arguments, in order; a backward pass returns one gradient for each."""
        return tuple(self[:-1])

    def check(self) -> None:
        """Check that the shapes agree.

        Raises:
            ConfigError: A shape does not match, or u is not floating-point.
        """
        _check_input(self.u, self.A)
        directions, channels, states = self.A.shape
        gate = (*self.u.shape[:3], directions, states)
        expected = {
            "A": (directions, self.u.shape[3], states),
            "delta": (directions, *self.u.shape),
            "B": gate,
            "C": gate,
            "D": (directions, channels),
            "delta_bias": (directions, channels),
        }
        _check_shapes(self, expected)


class CrossScanArgs(NamedTuple):
    """Arguments of a cross scan, whose step sizes are a low-rank product: delta = softplus(steps @ weight.T + bias).

    Args:
        u: Input (batch, height, width, channel).
        gates: (batch, height, width, direction, rank + 2 * state): the low-rank step sizes, then B, then C.
        delta_weight: Projection to step sizes (direction, channel, rank).
        A: Decay rates (direction, channel, state).
        D: Skip weights (direction, channel).
        delta_bias: Added to delta (direction, channel).
    """

    u: Tensor
    gates: Tensor
    delta_weight: Tensor
    A: Tensor
    D: Tensor
    delta_bias: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensor arguments, in order; a backward pass returns one gradient for each."""
        return tuple(self)

    @property
    def rank(self) -> int:
        """Rank of the step sizes."""
        return self.delta_weight.shape[2]

    def check(self) -> None:
        """Check that the shapes agree.

        Raises:
            ConfigError: A shape does not match, or u is not floating-point.
        """
        _check_input(self.u, self.A)
        directions, channels, states = self.A.shape
        rank = self.delta_weight.shape[-1]
        expected = {
            "A": (directions, self.u.shape[3], states),
            "delta_weight": (directions, channels, rank),
            "gates": (*self.u.shape[:3], directions, rank + 2 * states),
            "D": (directions, channels),
            "delta_bias": (directions, channels),
        }
        _check_shapes(self, expected)


def _check_input(u: Tensor, A: Tensor) -> None:
    if u.ndim != 4 or A.ndim != 3 or not 1 <= A.shape[0] <= 4 or 0 in (u.numel(), A.shape[2]):
        found = f"u has shape {tuple(u.shape)} and A has shape {tuple(A.shape)}"
        raise ConfigError(
            f"{found}; expected u as (batch, height, width, channel) and A as (direction, channel, state) "
            "with one to four directions and no empty dimension. Reshape the inputs."
        )
    if not u.is_floating_point():
        raise ConfigError(
            f"u has dtype {u.dtype}; expected floating point. Convert it with u.float()."
        )


def _check_shapes(args: ScanArgs | CrossScanArgs, expected: dict[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        found = tuple(getattr(args, name).shape)
        if found != shape:
            raise ConfigError(
                f"{name} has shape {found}; expected {shape} for u of shape {tuple(args.u.shape)}. "
                f"Reshape {name}."
            )
