"""Batches of slices: consecutive slices, or stacks for networks with through-plane context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rma_mamba.inference.tta import TtaLogits
from rma_mamba.slicing import SliceStack

_PIXELS_AT_A_TIME = 600_000  # 16 slices of 192 x 192; larger batches are not faster on a CPU
_MAX_BATCH_SIZE = 16
# With through-plane context: a liver of 200 mm in one batch at 5 mm if memory permits.
_PIXELS_IN_STACK = 1_300_000
_MIN_STACK, _MAX_STACK = 12, 48
_CONTEXT = 4  # slices on either side of a batch that are seen but not written


@dataclass(frozen=True)
class Batch:
    """Slices that a network processes together.

    Args:
        seen: The slices, from inferior to superior.
        first: The first of them whose result is written, counted within `seen`.
        size: Number of slices whose result is written.
    """

    seen: slice
    first: int
    size: int

    @property
    def kept(self) -> slice:
        """The slices whose result is written."""
        step = self.seen.step or 1
        start = self.seen.start + self.first * step
        return slice(start, start + (self.size - 1) * step + 1, step)

    def without_context(self, logits: TtaLogits) -> TtaLogits:
        """Logits of the slices whose result is written."""
        inside = slice(self.first, self.first + self.size)
        repeated = logits.repeated - self.first
        wanted = (repeated >= 0) & (repeated < self.size)
        others = [each[wanted] for each in logits.others] if wanted.any() else []
        return TtaLogits([each[inside] for each in logits.maps], others, repeated[wanted])


def plan_batches(scales: Sequence[SliceStack], batch_size: int | None) -> list[Batch]:
    """Batches that together write each slice once.

    Args:
        scales: The scan's slices at each TTA scale.
        batch_size: Slices per batch; None: chosen by their size.
    """
    total, step = len(scales[0]), scales[0].step
    pixels = int(np.prod(np.max([scale.plan.canvas for scale in scales], axis=0)))
    if scales[0].recipe.through_plane_mm is None:
        size = batch_size or max(1, min(_MAX_BATCH_SIZE, _PIXELS_AT_A_TIME // pixels))
        return _blocks(0, 1, total, size, context=0)
    size = batch_size or max(_MIN_STACK, min(_MAX_STACK, _PIXELS_IN_STACK // pixels))
    return [
        batch
        for offset in range(min(step, total))
        for batch in _blocks(offset, step, len(range(offset, total, step)), size, _CONTEXT)
    ]


def _blocks(offset: int, step: int, count: int, size: int, context: int) -> list[Batch]:
    """Batches of the stack of every `step`-th slice from `offset`, with `count` slices."""
    if count > size and context:
        size = max(1, size - 2 * context)
    number = -(-count // size)
    # with context, blocks of equal size; else as many complete ones as possible
    size = -(-count // number) if context else size
    batches = []
    for start in range(0, count, size):
        stop = min(start + size, count)
        low, high = max(0, start - context), min(count, stop + context)
        seen = slice(offset + low * step, offset + (high - 1) * step + 1, step)
        batches.append(Batch(seen, start - low, stop - start))
    return batches
