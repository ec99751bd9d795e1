"""Overlap of two masks, in voxels; every case with an empty mask is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError

AnyMask = npt.NDArray[Any]  # labels > 0 are the mask; any number of axes, any real type
Bits = npt.NDArray[np.bool_]
EmptyCase = Literal["neither", "both", "reference", "prediction"]  # which of two masks are empty


@dataclass(frozen=True)
class Overlap:
    """Counts of voxels, and the shares that follow from them.

    Both masks empty: every share is 1. One of them empty: every share is 0, recall and precision
    included, which are 0/0 there: a volume that is missed or made up altogether scores nothing.

    Args:
        reference: Voxels of the reference.
        prediction: Voxels of the prediction.
        both: Voxels that they share.
    """

    reference: int
    prediction: int
    both: int

    @property
    def dice(self) -> float:
        """2 |R and P| / (|R| + |P|)."""
        return self._share(2 * self.both, self.reference + self.prediction)

    @property
    def iou(self) -> float:
        """|R and P| / |R or P| (Jaccard)."""
        return self._share(self.both, self.reference + self.prediction - self.both)

    @property
    def recall(self) -> float:
        """|R and P| / |R| (sensitivity)."""
        return self._share(self.both, self.reference)

    @property
    def precision(self) -> float:
        """|R and P| / |P| (positive predictive value)."""
        return self._share(self.both, self.prediction)

    @property
    def f2(self) -> float:
        """5 P R / (4 P + R) of precision P and recall R, which is 5 |R and P| / (4 |R| + |P|)."""
        return self._share(5 * self.both, 4 * self.reference + self.prediction)

    @property
    def empty(self) -> EmptyCase:
        """Which masks are empty."""
        if self.reference and self.prediction:
            return "neither"
        if self.reference:
            return "prediction"
        return "reference" if self.prediction else "both"

    def _share(self, part: int, whole: int) -> float:
        if self.empty == "neither":
            return part / whole
        return float(self.empty == "both")


def overlap(reference: AnyMask, prediction: AnyMask) -> Overlap:
    """How many voxels two masks have and share, of labels > 0.

    Raises:
        GridError: The shapes differ.
    """
    true, found = as_bits(reference, prediction)
    count = np.count_nonzero
    return Overlap(int(count(true)), int(count(found)), int(count(true & found)))


def dice(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.dice` of two masks; both empty 1.0, one of them empty 0.0. GridError: shapes differ."""
    return overlap(reference, prediction).dice


def iou(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.iou` of two masks; both empty 1.0, one of them empty 0.0. GridError: shapes differ."""
    return overlap(reference, prediction).iou


def recall(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.recall` of two masks; both empty 1.0, one of them empty 0.0. GridError: shapes differ."""
    return overlap(reference, prediction).recall


def precision(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.precision` of two masks; both empty 1.0, one of them empty 0.0. GridError: shapes differ."""
    return overlap(reference, prediction).precision


def f2(reference: AnyMask, prediction: AnyMask) -> float:
    """`Overlap.f2` of two masks; both empty 1.0, one of them empty 0.0. GridError: shapes differ."""
    return overlap(reference, prediction).f2


def as_bits(reference: AnyMask, prediction: AnyMask) -> tuple[Bits, Bits]:
    """Both masks as labels > 0; NaN is no label.

    Raises:
        GridError: The shapes differ.
    """
    true, found = np.asarray(reference), np.asarray(prediction)
    if true.shape != found.shape:
        raise GridError(
            f"the prediction has shape {found.shape}, the reference {true.shape}; expected one grid. "
            "Resample one of them."
        )
    return true > 0, found > 0
