"""A random change of intensities for each scan of a case on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable
from monai.transforms.transform import Transform

from rma_mamba.datasets.augmentation.seeded_chain import generators_of
from rma_mamba.datasets.slices import Sample


class EachScan(Randomizable, Transform):  # type: ignore[misc]
    """Apply a transform to each scan of a sample: T1 and T2 have contrasts, noise and coils of their own.

    Missing scans are left out. A sample of a single scan is transformed as without this class.

    Args:
        transform: A random transform of "image".
        shared: Whether all scans get the same random numbers: what changes the anatomy is in the same place in all.
    """

    def __init__(self, transform: Any, *, shared: bool = False) -> None:
        self.transform, self.shared = transform, shared
        self.prob = getattr(transform, "prob", getattr(transform, "probability", None))

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> EachScan:
        """Seed the transform."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample; "present" states which of several scans there are, "image" has the channels of each."""
        if "present" not in data:
            return self.transform(data)  # type: ignore[no-any-return]
        generators = tuple(generators_of(self.transform))
        before = [each.get_state() for each in generators]
        changed = []
        present = data["present"].tolist()
        for scan, is_present in zip(data["image"].chunk(len(present)), present, strict=True):
            if is_present:
                if self.shared:
                    for generator, state in zip(generators, before, strict=True):
                        generator.set_state(state)
                scan = self.transform({**data, "image": scan})["image"]
            changed.append(torch.as_tensor(scan))
        return {**data, "image": torch.cat(changed)}
