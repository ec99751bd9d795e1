"""The paper's evaluation protocol (arXiv:2502.18232): slice by slice, at 256 x 256 pixels.

Implemented as published so that results are comparable with the paper's tables. To assess the segmentation
of a patient use `score_volume` instead: here, correctly empty slices count as perfect, and what the paper
calls a Hausdorff distance ignores the position of a row within the slice.
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
    """The paper's metrics of one slice.

    dice, iou (of the liver class only), recall, precision and f2 have 1e-15 added to numerator and
    denominator. Therefore all are 1 if both masks are empty; if only the reference is empty, dice and
    precision are 0 but recall is 1; if only the prediction is empty, dice and recall are 0 but precision is 1.

    row_distance_paper is what the paper reports as "HD" in mm. It treats each row of pixels as one point and
    takes the largest distance from a row of the reference to its nearest row of the prediction, wherever that
    row lies. The distance between two rows is the square root of the number of pixels in which they differ.
    With an empty reference it is 0 if at least one row of the prediction is empty.

    Args:
        reference, prediction: One slice each [row, column]; see `to_paper_size`.

    Raises:
        GridError: The shapes differ, or an array is not a single slice.
    """
    true, found = as_bits(reference, prediction)
    _check_slice(true)
    counts = overlap(true, found)
    return {
        "dice": _ratio(2 * counts.both, counts.reference + counts.prediction),
        "iou": _ratio(counts.both, counts.reference + counts.prediction - counts.both),
        "recall": _ratio(counts.both, counts.reference),
        "precision": _ratio(counts.both, counts.prediction),
        # 5 P R / (4 P + R) written in counts: 0 where the masks do not overlap
        "f2": _ratio(5 * counts.both, 4 * counts.reference + counts.prediction),
        "row_distance_paper": row_distance_paper(true, found),
    }


def row_distance_paper(reference: AnyMask, prediction: AnyMask) -> float:
    """max over rows of the reference of min over rows of the prediction of sqrt(differing pixels)."""
    true, found = (mask.astype(np.float32) for mask in as_bits(reference, prediction))
    # for binary rows: number of differing pixels = |row A| + |row B| - 2 |intersection|
    differing = true.sum(1)[:, None] + found.sum(1)[None] - 2 * true @ found.T
    return float(np.sqrt(differing.min(axis=1).max()))


def to_paper_size(mask: AnyMask) -> Bits:
    """Resample a slice (foreground > 0) to 256 x 256: bilinear, thresholded at 0.5.

    Height and width are scaled independently, as in the paper.

    Raises:
        GridError: The mask is not a single slice.
    """
    _check_slice(mask)
    bits = np.asarray(mask) > 0
    if bits.shape == (PAPER_SIZE, PAPER_SIZE):
        return bits
    if not bits.any():
        return np.zeros((PAPER_SIZE, PAPER_SIZE), bool)
    resampled = _resample_rows(_resample_rows(bits.astype(np.float32)).T).T
    foreground: Bits = resampled > 0.5
    return foreground


def _resample_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Resample the first axis to 256 pixels by linear interpolation between pixel centres."""
    count = len(rows)
    centres = (np.arange(PAPER_SIZE) + 0.5) * count / PAPER_SIZE - 0.5
    centres = np.clip(centres, 0, count - 1)
    first = centres.astype(np.intp)
    weight = (centres - first).astype(np.float32)[:, None]
    following = np.minimum(first + 1, count - 1)
    resampled: npt.NDArray[np.float32] = rows[first] * (1 - weight) + rows[following] * weight
    return resampled


def _ratio(part: float, whole: float) -> float:
    return (part + _EPSILON) / (whole + _EPSILON)


def _check_slice(mask: npt.NDArray[Any]) -> None:
    if mask.ndim != 2 or 0 in mask.shape:
        raise GridError(
            f"the mask has shape {mask.shape}; expected a single slice [row, column]. Pass one slice at a time."
        )
