"""Which slices a step sees: the same ones whatever the number of devices, of workers, or of interruptions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from rma_mamba.datasets.slices import Draw


def seed_of(*entropy: int) -> int:
    """A seed of 63 bits from any whole numbers, such as (seed, epoch, step, rank)."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)


class EpochDraws(Sampler[Draw]):
    """The slices of each epoch, drawn from (seed, epoch) alone and dealt to the devices in turn.

    An epoch is a whole number of steps; one with less than a step has them all, some of them twice if that
    fills the devices.

    Args:
        weights: Of each slice: its chance to be drawn.
        count: Slices of an epoch, drawn with replacement; None: every slice once, in random order.
        seed: Of the training.
        step: Slices that make a step, on all devices together.
        rank: Number of this device.
        devices: How many there are.
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
        whole = count or len(self.weights)
        self.count = whole // step * step or math.ceil(whole / devices) * devices

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is drawn next; Lightning does."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.devices

    def __iter__(self) -> Iterator[Draw]:
        order = np.resize(self._order().numpy(), self.count)
        for place in range(self.rank, self.count, self.devices):
            yield Draw(int(order[place]), (self.seed, self.epoch, place))

    def _order(self) -> Tensor:
        random = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
        if self.drawn is None:
            return torch.randperm(len(self.weights), generator=random)
        return torch.multinomial(self.weights, self.drawn, replacement=True, generator=random)


class ValidationBatches(Sampler[list[int]]):
    """The batches of one device, dealt in turn: together those that one device alone would have.

    Every device has as many, because they wait for each other; `validation_step` passes over the last of
    those that got one too many.

    Args:
        count: Slices.
        batch: Slices in a batch.
        rank: Number of this device.
        devices: How many there are.
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
