"""The protocol of the paper (arXiv:2502.18232): slice by slice, at 256 x 256 pixels.

Its numbers are kept as they are, to be comparable with its tables, and carry names that say so. They are
not what a patient's volume is judged by (`score_volume`): empty slices count as perfect, and what the paper
calls a Hausdorff distance does not see where in a slice a row lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.metrics.overlap import AnyMask, Bits, as_bits, overlap

PAPER_SIZE = 256
_EPSILON = 1e-15


def paper_per_slice(reference: AnyMask, prediction: AnyMask) -> dict[str, float]:
    """The paper's numbers of one slice.

    dice, iou (of the liver alone), recall, precision and f2 have 1e-15 in numerator and denominator.
    Hence both masks empty: all 1. Empty reference, something found: dice 0, precision 0, but recall 1.
    Empty prediction of a liver: dice 0, recall 0, but precision 1.

    row_distance_paper is what the paper prints as "HD" in mm: each row of pixels is taken as a point, and
    of the distances from each row of the reference to the nearest row of the prediction, whichever it is,
    the largest counts. Its unit is the square root of a pixel: sqrt(pixels in which two rows differ). An empty
    reference gives 0 as long as the prediction leaves one row empty.

    Args:
        reference, prediction: One slice each [row, column]; see `to_paper_size`.

    Raises:
        GridError: The shapes differ, or are not those of one slice.
    """
    true, found = as_bits(reference, prediction)
    _check_slice(true)
    counts = overlap(true, found)
    return {
        "dice": _share(2 * counts.both, counts.reference + counts.prediction),
        "iou": _share(counts.both, counts.reference + counts.prediction - counts.both),
        "recall": _share(counts.both, counts.reference),
        "precision": _share(counts.both, counts.prediction),
        # 5 P R / (4 P + R) in counts: 0, as it should be, where nothing is shared
        "f2": _share(5 * counts.both, 4 * counts.reference + counts.prediction),
        "row_distance_paper": row_distance_paper(true, found),
    }


def row_distance_paper(reference: AnyMask, prediction: AnyMask) -> float:
    """max over rows of the reference of min over rows of the prediction of sqrt(differing pixels)."""
    true, found = (mask.astype(np.float32) for mask in as_bits(reference, prediction))
    # of zeros and ones: pixels in which two rows differ = those of one + those of the other - 2 shared
    differing = true.sum(1)[:, None] + found.sum(1)[None] - 2 * true @ found.T
    return float(np.sqrt(differing.min(axis=1).max()))


def to_paper_size(mask: AnyMask) -> Bits:
    """A slice (labels > 0) at 256 x 256: bilinear between pixel centres, liver where above 0.5.

    Height and width are stretched each on its own, as the paper does.

    Raises:
        GridError: The mask is not one slice.
    """
    _check_slice(mask)
    bits = np.asarray(mask) > 0
    if bits.shape == (PAPER_SIZE, PAPER_SIZE):
        return bits
    if not bits.any():
        return np.zeros((PAPER_SIZE, PAPER_SIZE), bool)
    grey = _stretched(_stretched(bits.astype(np.float32)).T).T
    larger: Bits = grey > 0.5
    return larger


def _stretched(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Linear interpolation along the first axis to 256 pixels."""
    count = len(rows)
    centres = (np.arange(PAPER_SIZE) + 0.5) * count / PAPER_SIZE - 0.5
    centres = np.clip(centres, 0, count - 1)
    first = centres.astype(np.intp)
    share = (centres - first).astype(np.float32)[:, None]
    following = np.minimum(first + 1, count - 1)
    stretched: npt.NDArray[np.float32] = rows[first] * (1 - share) + rows[following] * share
    return stretched


def _share(part: float, whole: float) -> float:
    return (part + _EPSILON) / (whole + _EPSILON)


def _check_slice(mask: npt.NDArray[Any]) -> None:
    if mask.ndim != 2 or 0 in mask.shape:
        raise GridError(
            f"the mask has shape {mask.shape}; expected one slice [row, column]. Pass slice by slice."
        )
