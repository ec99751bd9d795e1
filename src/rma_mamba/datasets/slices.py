"""Slices of cases as training samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from rma_mamba.datasets.cases import Case

# "image": float32 [3, height, width] in [0, 1]; "label": float32 [1, height, width], and before the
# transform [3, height, width], the label of each channel, beside "tissues", uint8, the organs of each.
# After it also "index", the slice's place in its dataset, and "draw", a random number of its own.
Sample = dict[str, Tensor]


class Draw(NamedTuple):
    """A slice that a training asks for.

    Args:
        place: Where it is in the dataset.
        entropy: All that its random changes depend on, so that they are the same in whichever process
            and after whatever they are made.
    """

    place: int
    entropy: tuple[int, ...] = ()


class SliceDataset(Dataset[Sample]):
    """Every slice of the cases once, in order; a plain number asks for `Draw(number)`.

    Args:
        cases: Where the slices come from.
        neighbours: Whether the channels are the slice below, the slice and the slice above.
        transform: Applied to a sample.
        single_slice: Probability that the neighbours are replaced by the slice itself.
        reach_mm: Neighbours are drawn up to this distance, so that thin slices also look like thick ones.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        *,
        neighbours: bool,
        transform: Callable[[Sample], Any],
        single_slice: float = 0.0,
        reach_mm: float = 0.0,
    ) -> None:
        self.cases = cases
        self.neighbours = neighbours
        self.transform = transform
        self.single_slice = single_slice
        self.reach_mm = reach_mm
        self.index = [(case, number) for case in cases for number in range(len(case.images))]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int | Draw) -> Sample:
        draw = item if isinstance(item, Draw) else Draw(int(item))
        random = np.random.default_rng(draw.entropy)
        case, number = self.index[draw.place]
        channels = np.full(3, number)
        if self.neighbours and case.ordered and random.random() >= self.single_slice:
            step = self._step(case, random)
            channels = np.clip(number + step * np.arange(-1, 2), 0, len(case.images) - 1)
        tissues = case.labels if case.tissues is None else case.tissues
        reseed = getattr(self.transform, "set_random_state", None)
        if reseed is not None:
            reseed(seed=int(random.integers(2**32)))
        sample: Sample = self.transform(
            {
                "image": torch.from_numpy(np.asarray(case.images[channels])).float() / 255,
                "label": torch.from_numpy(np.asarray(case.labels[channels])).float(),
                "tissues": torch.from_numpy(np.asarray(tissues[channels])),
            }
        )
        own = torch.tensor([draw.place, int(random.integers(2**32))])
        return {**sample, "index": own[0], "draw": own[1]}

    def _step(self, case: Case, random: np.random.Generator) -> int:
        """How many slices away a neighbour is."""
        farthest = int(self.reach_mm / case.gap_mm) if case.gap_mm else 1
        return 1 if farthest <= 1 else int(random.integers(1, farthest + 1))

    def describe(self, index: int) -> str:
        """Which slice it is: source, patient, and number inside the patient from 0."""
        case, number = self.index[index]
        return f"{case.source} patient {case.patient} slice {number}"

    def weights(self) -> list[float]:
        """For each slice its chance to be drawn: even over sources by weight, over patients, over slices."""
        patients = Counter(case.source for case in self.cases)
        return [case.weight / patients[case.source] / len(case.images) for case, _ in self.index]


def thinned(dataset: SliceDataset, count: int | None) -> Dataset[Sample]:
    """At most `count` samples, evenly spaced."""
    if count is None or len(dataset) <= count:
        return dataset
    return Subset(dataset, np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist())
