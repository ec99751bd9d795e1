"""Which slices each step uses, independent of the number of devices and workers and of interruptions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from rma_mamba.datasets.slices import SliceDraw


def derived_seed(*entropy: int) -> int:
    """A 63-bit seed derived from integers, such as (seed, epoch, step, rank)."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)


class EpochSampler(Sampler[SliceDraw]):
    """The slices of each epoch, drawn from (seed, epoch) only and distributed over the devices in turn.

    An epoch consists of complete steps. An epoch of less than one step contains all its slices; a few are
    repeated if the devices would otherwise get different numbers of slices.

    Args:
        weights: Relative probability of each slice to be drawn.
        count: Slices per epoch, drawn with replacement; None: each slice once, in random order.
        seed: Random seed of the training run.
        step: Slices per step, on all devices together.
        rank: Rank of this device.
        devices: Number of devices.
    """

    def __init__(
        self,
        weights: Sequence[float],
        count: int | None,
        *,
        seed: int,
        step: int,
        rank: int = 0,
        devices: int = 1,
    ) -> None:
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.drawn = count
        self.seed, self.rank, self.devices = seed, rank, devices
        self.epoch = 0
        available = count or len(self.weights)
        self.count = available // step * step or math.ceil(available / devices) * devices

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to be drawn next; called by Lightning."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.devices

    def __iter__(self) -> Iterator[SliceDraw]:
        order = np.resize(self._order().numpy(), self.count)
        for place in range(self.rank, self.count, self.devices):
            yield SliceDraw(int(order[place]), (self.seed, self.epoch, place))

    def _order(self) -> Tensor:
        random = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch))
        if self.drawn is None:
            return torch.randperm(len(self.weights), generator=random)
        return torch.multinomial(self.weights, self.drawn, replacement=True, generator=random)


class ValidationBatchSampler(Sampler[list[int]]):
    """The validation batches of one device; all devices together have the batches of a single device.

    All devices get the same number of batches, because they synchronise after each one. If the batches cannot
    be divided evenly, the last one is repeated, and `SliceDataModule.is_counted` excludes the repetitions.

    Args:
        count: Number of slices.
        batch: Slices per batch.
        rank: Rank of this device.
        devices: Number of devices.
    """

    def __init__(self, count: int, batch: int, *, rank: int = 0, devices: int = 1) -> None:
        self.count, self.batch, self.rank, self.devices = count, batch, rank, devices
        self.batches = math.ceil(count / batch)

    def __len__(self) -> int:
        return math.ceil(self.batches / self.devices)

    def __iter__(self) -> Iterator[list[int]]:
        for turn in range(len(self)):
            first = min(turn * self.devices + self.rank, self.batches - 1) * self.batch
            yield list(range(first, min(first + self.batch, self.count)))
