"""Random numbers of a batch: each slice, or each scan of it, has a generator of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


class UnitDraws:
    """Random numbers for the units of a batch.

    They are drawn on the CPU and depend on the seed of the unit only: neither on the others in the batch, nor on the
    device, nor on interruptions.

    Args:
        seeds: Seed of each unit.
        device: Where the results are needed.
    """

    def __init__(self, seeds: Sequence[Sequence[int]], device: torch.device) -> None:
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        self.device = device

    def chosen(self, probability: float, among: Sequence[bool] | None = None) -> list[int]:
        """The units that a change with this probability is applied to.

        Args:
            probability: Of each unit; 0: nothing is drawn.
            among: Whether each unit is a candidate; None: all are.
        """
        if probability == 0:
            return []
        drawn = [generator.random() < probability for generator in self.generators]
        candidates = among or [True] * len(drawn)
        return [
            n for n, (hit, may) in enumerate(zip(drawn, candidates, strict=True)) if hit and may
        ]

    def uniform(self, units: Sequence[int], low: float, high: float, *shape: int) -> Tensor:
        """Uniform numbers, float32 [unit, *shape]."""
        return self.stacked(units, lambda random: random.uniform(low, high, shape))

    def integers(self, units: Sequence[int], low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from low to high - 1, int64 [unit, *shape]."""
        return self.stacked(units, lambda random: random.integers(low, high, shape))

    def stacked(self, units: Sequence[int], draw: Callable[[np.random.Generator], Any]) -> Tensor:
        """What a function draws for each unit, [unit, ...] on the device."""
        values = np.stack([np.asarray(draw(self.generators[unit])) for unit in units])
        tensor = torch.from_numpy(values)
        return (tensor.float() if values.dtype.kind == "f" else tensor).to(self.device)

    def noise(self, units: Sequence[int], shape: Sequence[int]) -> Tensor:
        """Gaussian noise of deviation 1, float32 [unit, *shape], drawn on the device."""
        fields = []
        for unit in units:
            seed = int(self.generators[unit].integers(2**63))
            generator = torch.Generator(self.device).manual_seed(seed)
            fields.append(torch.randn(tuple(shape), generator=generator, device=self.device))
        return torch.stack(fields)
