"""Overlap metrics of two masks, including the special cases of empty masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError

AnyMask = npt.NDArray[Any]  # foreground is > 0; any number of axes, any real dtype
Bits = npt.NDArray[np.bool_]
EmptyCase = Literal["neither", "both", "reference", "prediction"]  # which of the two masks is empty


@dataclass(frozen=True)
class Overlap:
    """Voxel counts of two masks, and the overlap metrics computed from them.

    If both masks are empty, every metric is 1. If exactly one is empty, every metric is 0, including the
    undefined 0/0 cases of recall and precision: a completely missed or completely false volume scores 0.

    Args:
        reference: Voxels of the reference.
        prediction: Voxels of the prediction.
        both: Voxels in the intersection.
    """

    reference: int
    prediction: int
    both: int

    @property
    def dice(self) -> float:
        """2 |R and P| / (|R| + |P|)."""
        return self._ratio(2 * self.both, self.reference + self.prediction)

    @property
    def iou(self) -> float:
        """|R and P| / |R or P| (Jaccard)."""
        return self._ratio(self.both, self.reference + self.prediction - self.both)

    @property
    def recall(self) -> float:
        """|R and P| / |R| (sensitivity)."""
        return self._ratio(self.both, self.reference)

    @property
    def precision(self) -> float:
        """|R and P| / |P| (positive predictive value)."""
        return self._ratio(self.both, self.prediction)

    @property
    def f2(self) -> float:
        """5 P R / (4 P + R) of precision P and recall R, which is 5 |R and P| / (4 |R| + |P|)."""
        return self._ratio(5 * self.both, 4 * self.reference + self.prediction)

    @property
    def empty(self) -> EmptyCase:
        """Which of the two masks is empty."""
        if self.reference and self.prediction:
            return "neither"
        if self.reference:
            return "prediction"
        return "reference" if self.prediction else "both"

    def _ratio(self, part: int, whole: int) -> float:
        if self.empty == "neither":
            return part / whole
        return float(self.empty == "both")


def overlap(reference: AnyMask, prediction: AnyMask) -> Overlap:
    """Count the voxels of two masks (foreground > 0) and of their intersection.

    Raises:
        GridError: The shapes differ.
    """
    true, found = as_bits(reference, prediction)
    count = np.count_nonzero
    return Overlap(int(count(true)), int(count(found)), int(count(true & found)))


def dice(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.dice` of two masks: 1.0 if both are empty, 0.0 if one is. GridError if shapes differ."""
    return overlap(reference, prediction).dice


def iou(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.iou` of two masks: 1.0 if both are empty, 0.0 if one is. GridError if shapes differ."""
    return overlap(reference, prediction).iou


def recall(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.recall` of two masks: 1.0 if both are empty, 0.0 if one is. GridError if shapes differ."""
    return overlap(reference, prediction).recall


def precision(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.precision` of two masks: 1.0 if both are empty, 0.0 if one is. GridError if shapes differ."""
    return overlap(reference, prediction).precision


def f2(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.f2` of two masks: 1.0 if both are empty, 0.0 if one is. GridError if shapes differ."""
    return overlap(reference, prediction).f2


def as_bits(reference: AnyMask, prediction: AnyMask) -> tuple[Bits, Bits]:
    """Both masks as booleans (foreground > 0; NaN is background).

    Raises:
        GridError: The shapes differ.
    """
    true, found = np.asarray(reference), np.asarray(prediction)
    if true.shape != found.shape:
        raise GridError(
            f"the prediction has shape {found.shape}, the reference {true.shape}; expected the same shape. "
            "Resample one of them onto the grid of the other."
        )
    return true > 0, found > 0
