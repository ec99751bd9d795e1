"""Random crops of whole batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch.utils.data import default_collate

from rma_mamba.datasets.slices import Sample


class RandomBatchCrop:
    """Collate samples into a batch, and crop it to a random size at a random position.

    Networks with a global field of view learn where the image border is; random crops put it anywhere.

    Args:
        sizes: Widths to draw from, in pixels; empty: batches are not cropped.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes

    def __call__(self, samples: list[Sample]) -> Sample:
        """Collate samples of one size, at least the largest width; the "draw" of the first one is the seed."""
        return self.crop(default_collate(samples))

    def crop(self, batch: Sample) -> Sample:
        """Crop a batch."""
        if not self.sizes:
            return batch
        random = np.random.default_rng(int(batch["draw"][0]))
        size = self.sizes[int(random.integers(len(self.sizes)))]
        rest = batch["image"].shape[-1] - size
        top, left = random.integers(rest + 1, size=2)
        cropped = {
            key: batch[key][..., top : top + size, left : left + size].contiguous()
            for key in ("image", "label")
        }
        return {**batch, **cropped}
