"""Removal of slices of lung at the ends of a mask in scans without CT numbers, such as MR.

A network that was trained on livers of any contrast may take the base of the right lung, which has the shape of the
dome of the liver, for a dark liver. Within one scan the liver has one brightness: a slice at the end of the mask that
is nearly as dark as air, while the rest of the mask is not, is lung. A liver that is dark as a whole, as with iron, is
compared with itself, and stays. Slices at the ends of a scan, which may receive less signal, must be dark beside the
body in the same slice as well: in relation to what is usual in the scan, and, because large cysts may be brighter than
the liver, as such.

On T2-weighted scans of 13 training and validation patients (CHAOS), every slice of the reference had at least 0.53 of
the liver's usual brightness in relation to the body in the same slice, and on a T1-weighted one at least 0.44; lung
above the liver mostly had less than 0.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rma_mamba.shapes import Labels
from rma_mamba.slicing import CalibratedVolume

Plane = npt.NDArray[Any]  # [row, column]

DARK = 0.35  # share of the usual brightness above that of air, below which a slice is lung
DARK_BESIDE_BODY = 0.2  # the same, as a share of the body's brightness
DARKEST = 0.15  # share of the body's brightness, above which the darkest voxels of a scan are tissue, not air
_BODY = 0.9  # quantile of a slice
_STEP = 2  # pixels, for that quantile


class _Brightness(NamedTuple):
    """Grey levels of a slice: air, the body, and the mask."""

    air: float
    body: float
    mask: float


def remove_dark_ends(labels: Labels, scan: CalibratedVolume) -> int:
    """Remove slices at both ends of a mask that are as dark as air beside the rest of the mask, in place.

    Nothing is removed from CT in Hounsfield units, for which `remove_implausible` uses the CT numbers. The result does
    not depend on the axis order.

    Args:
        labels: 0 or 1, on the grid of the scan.
        scan: The scan.

    Returns:
        The number of removed voxels.
    """
    if scan.intensity_unit == "HU":
        return 0
    order = scan.geometry.canonical
    mask, values = order.apply(labels), order.apply(scan.values)
    numbers = np.flatnonzero(mask.any(axis=(1, 2)))
    if not numbers.size:
        return 0
    levels = [_brightness(values[number], mask[number]) for number in numbers]
    air = min(level.air for level in levels)
    if air > DARKEST * max(level.body for level in levels):
        return 0
    usual = _quantile(np.concatenate([values[n][mask[n] > 0] for n in numbers]), 0.5) - air
    ratios = [(each.mask - air) / max(each.body - air, 1e-6) for each in levels]
    usual_ratio = _quantile(np.array(ratios), 0.5)
    dark = [
        level.mask - air < DARK * usual and ratio < min(DARK * usual_ratio, DARK_BESIDE_BODY)
        for level, ratio in zip(levels, ratios, strict=True)
    ]
    removed = 0
    for number in (*_leading(numbers, dark), *_leading(numbers[::-1], dark[::-1])):
        removed += int(np.count_nonzero(mask[number]))
        mask[number] = 0
    return removed


def _brightness(plane: Plane, mask: Plane) -> _Brightness:
    body = _quantile(plane[::_STEP, ::_STEP], _BODY)
    return _Brightness(float(plane.min()), body, _quantile(plane[mask > 0], 0.5))


def _quantile(values: Plane, share: float) -> float:
    """The value at the lower of two places between which a quantile lies."""
    place = int(share * (values.size - 1))
    return float(np.partition(values, place, axis=None)[place])


def _leading(numbers: npt.NDArray[np.intp], dark: list[bool]) -> list[int]:
    """The slices before the first that is not dark."""
    first = dark.index(False) if False in dark else 0
    return [int(number) for number in numbers[:first]]
