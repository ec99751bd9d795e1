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

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.shapes import Labels
from rma_mamba.slicing import CalibratedVolume

DARK = 0.35  # share of the usual brightness above that of air, below which a slice is lung
DARK_BESIDE_BODY = 0.2  # the same, as a share of the body's brightness
DARKEST = 0.15  # share of the body's brightness, above which the darkest voxels of a scan are tissue, not air
_BODY = 0.9  # quantile of a slice
_STEP = 2  # pixels, for that quantile


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
    marked = [values[number][mask[number] > 0] for number in numbers]
    air = min(float(values[number].min()) for number in numbers)
    body = _levels([values[number][::_STEP, ::_STEP] for number in numbers], _BODY)
    if air > DARKEST * body.max():
        return 0
    medians = _levels(marked, 0.5) - air
    (usual,) = _levels([np.concatenate(marked)], 0.5) - air
    ratios = medians / np.maximum(body - air, 1e-6)
    (usual_ratio,) = _levels([ratios], 0.5)
    bright = (medians >= DARK * usual) | (ratios >= min(DARK * usual_ratio, DARK_BESIDE_BODY))
    if not bright.any():
        return 0
    first, last = numbers[bright][[0, -1]]
    ends = numbers[(numbers < first) | (numbers > last)]
    removed = int(np.count_nonzero(mask[ends]))
    mask[ends] = 0
    return removed


def _levels(parts: Sequence[npt.NDArray[Any]], share: float) -> npt.NDArray[np.float64]:
    """A quantile of the values of each part: the lower of the two values between which it lies."""
    return np.array([np.quantile(part, share, method="lower") for part in parts], np.float64)
