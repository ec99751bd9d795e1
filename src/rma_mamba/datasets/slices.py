"""Slices of cases as training samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from rma_mamba.datasets.cases import Case

# "image": float32 [3, height, width] in [0, 1]; "label": float32 [1, height, width], and before the
# transform [3, height, width], the label of each channel
Sample = dict[str, Tensor]


class SliceDataset(Dataset[Sample]):
    """Every slice of the cases once, in order.

    Args:
        cases: Where the slices come from.
        neighbours: Whether the channels are the slice below, the slice and the slice above.
        transform: Applied to a sample.
        single_slice: Probability that the neighbours are replaced by the slice itself.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        *,
        neighbours: bool,
        transform: Callable[[Sample], Any],
        single_slice: float = 0.0,
    ) -> None:
        self.cases = cases
        self.neighbours = neighbours
        self.transform = transform
        self.single_slice = single_slice
        self.index = [(case, number) for case in cases for number in range(len(case.images))]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> Sample:
        case, number = self.index[item]
        channels = np.full(3, number)
        single = self.single_slice > 0 and float(torch.rand(())) < self.single_slice
        if self.neighbours and case.ordered and not single:
            channels = np.clip(np.arange(number - 1, number + 2), 0, len(case.images) - 1)
        image = torch.from_numpy(case.images[channels]).float() / 255
        label = torch.from_numpy(case.labels[channels]).float()
        sample: Sample = self.transform({"image": image, "label": label})
        return sample

    def weights(self) -> list[float]:
        """For each slice its chance to be drawn: even over sources by weight, over patients, over slices."""
        patients = Counter(case.source for case in self.cases)
        return [case.weight / patients[case.source] / len(case.images) for case, _ in self.index]


def thinned(dataset: SliceDataset, count: int | None) -> Dataset[Sample]:
    """At most `count` samples, evenly spaced."""
    if count is None or len(dataset) <= count:
        return dataset
    return Subset(dataset, np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist())
