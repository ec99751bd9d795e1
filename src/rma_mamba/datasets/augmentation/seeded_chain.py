"""Transforms in turn, whose random numbers are those of MONAI's `Compose`, seeded in a fraction of its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from monai.transforms import Randomizable
from monai.utils import MAX_SEED

from rma_mamba.datasets.slices import Sample


class SeededChain:
    """Apply transforms in turn.

    Every sample is seeded, so that it depends neither on the process nor on earlier samples. `Compose` creates new
    random number generators for that, each of which first collects entropy from the operating system: half of the time
    of a sample. Here the generators are kept and seeded in place, with the same results, and transforms whose
    probability is zero are neither seeded nor called.

    Args:
        transforms: The transforms, MONAI's or of this package.
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        self.random = np.random.RandomState()
        # of each random transform; none for one that is not used, for which a seed is drawn all the same
        self.generators: list[tuple[np.random.RandomState, ...]] = []
        self.used = [each for each in transforms if not _is_unused(each)]
        for each in transforms:
            if isinstance(each, Randomizable):
                each.set_random_state(seed=0)  # creates the generators
                self.generators.append(() if _is_unused(each) else tuple(generators_of(each)))

    def set_random_state(self, seed: int) -> None:
        """Seed all transforms, each with a random number of its own."""
        self.random.seed(seed % MAX_SEED)
        for generators in self.generators:
            own = int(self.random.randint(MAX_SEED, dtype="uint32"))
            for generator in generators:
                generator.seed(own % MAX_SEED)

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample."""
        for transform in self.used:
            data = transform(data)
        return data


def _is_unused(transform: Any) -> bool:
    """Whether a transform never changes a sample."""
    probability = getattr(transform, "prob", getattr(transform, "probability", None))
    return probability is not None and probability == 0


def generators_of(transform: Any) -> Iterator[np.random.RandomState]:
    """The random number generators of a transform and of the transforms that it consists of."""
    own = vars(transform)
    if "R" in own:
        yield own["R"]
    for part in own.values():
        if isinstance(part, Randomizable):
            yield from generators_of(part)
