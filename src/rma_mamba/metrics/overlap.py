"""Overlap of two masks, in voxels."""

from __future__ import annotations

import numpy as np

from rma_mamba.errors import GridError
from rma_mamba.shapes import Labels


def dice(mask: Labels, reference: Labels) -> float:
    """2 |mask and reference| / (|mask| + |reference|), of labels > 0.

    Both empty agree perfectly: 1.0; only one of them empty: 0.0.

    Raises:
        GridError: The shapes differ.
    """
    if mask.shape != reference.shape:
        raise GridError(
            f"the mask has shape {mask.shape}, the reference {reference.shape}; expected one grid. "
            "Resample one of them."
        )
    found, true = mask > 0, reference > 0
    total = np.count_nonzero(found) + np.count_nonzero(true)
    return 2 * np.count_nonzero(found & true) / total if total else 1.0
