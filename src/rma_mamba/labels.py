"""The label rule: which values of a mask or label file are the liver. Every reader of masks uses this one.

| values in the file | liver values named | liver |
|---|---|---|
| any not finite, or further than 1e-3 from a whole number | any | error |
| only 0 and 255 | any, but 255 neither named nor known | 255: a binary mask |
| whole numbers | none | every value above 0 |
| whole numbers | some | the named values |
| 255 and stray values; no named value | some, 255 and the stray values neither named nor known | error |
| grey levels of an 8-bit image of one structure, none above 63 | none | every level above 0 |
| grey levels of an 8-bit image of one structure, some above 63 | none | every level above 63 |

A stray value is one that is neither 0 nor 255. It makes a binary mask ambiguous: 255 can be the liver, or the "ignore"
label of a case without liver. The last two rows apply to PNG and JPEG masks unless label values are
named (`liver_in_grey_levels`): JPEG compression and interpolation create levels near 0 and 255 around every contour.

Temporary arrays cover a few slices only: label files of whole-body scans have hundreds of millions of voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError

Values = npt.NDArray[Any]
Bits = npt.NDArray[np.uint8]

GREY_LEVEL_THRESHOLD = 63  # 127 and 255 are liver in public datasets; JPEG artefacts stay below

_WHITE = 255
_ROUNDING = 1e-3  # of whole numbers that were stored as floats
_SLICES_AT_A_TIME = 16
_SHOWN = 8  # number of values listed in an error


@dataclass(frozen=True)
class LabelRule:
    """Meaning of the values of a label file.

    Args:
        liver: Values that are liver; none: every value above 0.
        known: All values that may occur besides 0; None: any whole number.
    """

    liver: frozenset[int] = frozenset()
    known: frozenset[int] | None = None

    @property
    def is_single_structure(self) -> bool:
        """Whether the files contain a single structure, 0 and 1, and no other label values."""
        return self.liver == frozenset({1}) == self.known

    def with_liver(self, values: Iterable[int]) -> LabelRule:
        """The same rule with other values for the liver; no values: unchanged."""
        named = frozenset(values)
        if not named:
            return self
        known = None if self.known is None or not named <= self.known else self.known
        return replace(self, liver=named, known=known)

    def liver_in(self, values: Values) -> Bits:
        """1 where a label is liver, else 0; uint8, same shape as `values`.

        Args:
            values: Label values of any real type and shape, slices along the last axis.

        Raises:
            ScanError: Values are not whole numbers; or 255 occurs together with stray values, but no named value.
        """
        check_whole(values)
        liver = np.empty(values.shape, np.uint8)
        if self._is_binary(values):
            selected: frozenset[int] = frozenset({_WHITE})
        else:
            selected = self.liver
        for part, whole in _parts(values):
            liver[part] = np.isin(whole, sorted(selected)) if selected else whole > 0
        if self.liver and not liver.any():
            self._check_not_ambiguous(values)
        return liver

    def unexpected_in(self, values: Values) -> tuple[float, ...]:
        """Values that should not occur, in ascending order: fractional, negative or unknown."""
        found = _unique(values)
        with np.errstate(invalid="ignore"):
            whole = np.rint(found)
            broken = ~(np.abs(found - whole) <= _ROUNDING) | (found < -_ROUNDING)
        if self.known is not None and not self._is_binary(found):
            broken |= ~np.isin(whole, [0, *self.known])
        return tuple(float(value) for value in found[broken])

    def _is_binary(self, values: Values) -> bool:
        """Whether 255 is the only value besides 0 and has no meaning of its own."""
        if _WHITE in self._meaningful:
            return False
        return _largest(values) == _WHITE and all(
            bool(((whole == 0) | (whole == _WHITE)).all()) for _, whole in _parts(values)
        )

    def _check_not_ambiguous(self, values: Values) -> None:
        meaningful = self._meaningful
        if _WHITE in meaningful or not any((whole == _WHITE).any() for _, whole in _parts(values)):
            return
        stray = np.setdiff1d(np.rint(_unique(values)), [0, _WHITE, *meaningful])
        if stray.size:
            shown = ", ".join(f"{value:g}" for value in stray[:_SHOWN].tolist())
            raise ScanError(
                f"a mask contains 255 as well as other values ({shown}), but none of the values of the liver "
                f"({', '.join(map(str, sorted(self.liver)))}); expected only 0 and 255, or label values. "
                "Remove the stray values, or specify the values of the liver."
            )

    @property
    def _meaningful(self) -> frozenset[int]:
        return self.liver | (self.known or frozenset())


def liver_in(values: Values, liver: Iterable[int] = ()) -> Bits:
    """1 where a label is liver, else 0: `LabelRule.liver_in` for a file whose other labels are unknown.

    Args:
        values: Label values of any real type and shape.
        liver: Values of the liver; none: every value above 0.

    Raises:
        ScanError: The values are not labels, or their meaning is ambiguous.
    """
    return LabelRule(frozenset(liver)).liver_in(values)


def liver_in_grey_levels(image: Values) -> Bits:
    """1 where an 8-bit image of a single structure shows liver, else 0.

    Args:
        image: Grey levels 0 to 255, as read from PNG or JPEG; or label values up to 63.
    """
    threshold = GREY_LEVEL_THRESHOLD if is_brightness(image) else 0
    return (image > threshold).astype(np.uint8)


def is_brightness(image: Values) -> bool:
    """Whether an 8-bit mask image encodes the structure as brightness, and not as a label value."""
    return bool(image.max(initial=0) > GREY_LEVEL_THRESHOLD)


def check_whole(values: Values) -> None:
    """Check that label values of any data type are whole numbers.

    Raises:
        ScanError: They are not.
    """
    if values.dtype.kind in "iub":
        return
    for start in range(0, values.shape[-1] if values.ndim else 1, _SLICES_AT_A_TIME):
        part = values[..., start : start + _SLICES_AT_A_TIME]
        with np.errstate(invalid="ignore"):
            whole = bool((np.abs(part - np.rint(part)) <= _ROUNDING).all())
        if not whole:
            raise ScanError(
                f"a mask contains values that are not whole numbers (range {float(values.min()):.3g} to "
                f"{float(values.max()):.3g}); expected label values. Apply a threshold to a probability map, "
                "or resample labels with nearest-neighbour interpolation."
            )


def _parts(values: Values) -> Iterator[tuple[tuple[Any, ...], Values]]:
    """A few slices at a time: their index, and their values rounded to whole numbers."""
    for start in range(0, values.shape[-1] if values.ndim else 1, _SLICES_AT_A_TIME):
        where = (..., slice(start, start + _SLICES_AT_A_TIME))
        part = values[where]
        yield where, part if part.dtype.kind in "iub" else np.rint(part)


def _unique(values: Values) -> Values:
    """All distinct values in ascending order; sorting a whole scan at once would copy it."""
    parts = [np.unique(values[where]) for where, _ in _parts(values)]
    return np.unique(np.concatenate(parts)) if parts else np.unique(values)


def _largest(values: Values) -> float:
    return float(np.rint(values.max(initial=0)))
