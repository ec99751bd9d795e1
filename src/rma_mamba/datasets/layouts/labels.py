"""What the values of a label file mean, and which of them should not be there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

_AT_A_TIME = 16  # slices
_ROUNDING = 1e-3  # of whole numbers in labels that were stored as floats


@dataclass(frozen=True)
class LabelRule:
    """Meaning of label values.

    Args:
        liver: Values that are liver.
        known: All values that may occur beside 0; None: any whole number.
    """

    liver: frozenset[int]
    known: frozenset[int] | None = None

    def with_liver(self, values: tuple[int, ...]) -> LabelRule:
        """The same rule with other values for the liver; no values: unchanged."""
        if not values:
            return self
        known = None if self.known is None or not set(values) <= self.known else self.known
        return replace(self, liver=frozenset(values), known=known)

    def liver_in(self, labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """1 where a label is liver; 0 and 255 stand for 0 and 1."""
        whole = _whole(labels)
        wanted = {255} if self._is_two_tone(whole) else self.liver
        liver = np.empty(labels.shape, np.uint8)
        for start in range(0, labels.shape[-1], _AT_A_TIME):  # its temporaries are large
            part = slice(start, start + _AT_A_TIME)
            liver[..., part] = np.isin(whole[..., part], sorted(wanted))
        return liver

    def unexpected_in(self, labels: npt.NDArray[Any]) -> tuple[float, ...]:
        """Values that should not be there, ascending: between whole numbers, negative or not known."""
        found = np.unique(labels)
        broken = ~(np.abs(found - np.rint(found)) <= _ROUNDING) | (found < -_ROUNDING)
        if self.known is not None and not self._is_two_tone(_whole(labels)):
            broken |= ~np.isin(np.rint(found), [0, *self.known])
        return tuple(float(value) for value in found[broken])

    def _is_two_tone(self, whole: npt.NDArray[Any]) -> bool:
        """Whether 255 is the only value beside 0 and means nothing else."""
        if 255 in (self.known or self.liver) or int(whole.max(initial=0)) != 255:
            return False
        return bool(((whole == 0) | (whole == 255)).all())


def _whole(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return labels if labels.dtype.kind in "iu" else np.rint(labels)
