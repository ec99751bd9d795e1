"""Removal of what cannot be liver by its CT number: lung, other gas, fat and bone at the border of a mask.

Published CT numbers: liver 50 to 65 HU without and up to 125 HU with contrast agent; the most severe steatosis, a fat
fraction of 60%, has about -40 HU (PDFF in % = 38.2 - 0.58 HU: Pickhardt et al., AJR 2018;211:W151); adipose tissue
-190 to -30 HU, on average -100 (Mitsiopoulos et al., J Appl Physiol 1998;85:115); lung -950 to -700 HU; cortical bone
over 500 HU.
Gas after ablation or embolisation, clips, stents and Lipiodol are part of a treated liver: what lies inside the mask
stays, and what is bright is only removed where it continues outside, as a rib does, and only near the border.

Plane by plane: besides the mask, memory holds a few planes and one byte per voxel of the mask's bounding box.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from rma_mamba.shapes import Labels
from rma_mamba.slicing import CalibratedVolume
from rma_mamba.slicing.calibration import detect_modality

Plane = npt.NDArray[Any]  # [row, column]


@dataclass(frozen=True)
class HuLimits:
    """Limits of plausible CT numbers after smoothing.

    Args:
        gas: Below are lung, bowel gas and air, and voxels of which a quarter is one of these; fat is never so dark.
        fat: Below is fat, unless the layer is thin: a thin layer may be liver and lung in the same voxels.
        bone: Above are cortical bone and positive oral contrast agent; enhanced liver and veins are darker.
        bone_depth_mm: How far from the border bright voxels are removed: about the thickness of a rib.
        smoothing_mm: Standard deviation of the Gaussian against noise, which reaches 40 HU in thin slices.
        region_mm: Standard deviation of a second Gaussian, in plane: dark regions must be dark after it somewhere.
            In low-dose scans, noise of 100 HU and more, which extends over several voxels, is dark after the first.
    """

    gas: float = -150.0
    fat: float = -70.0
    bone: float = 400.0
    bone_depth_mm: float = 10.0
    smoothing_mm: float = 1.0
    region_mm: float = 3.0


class ImplausibleVoxels(NamedTuple):
    """Numbers of voxels of a mask with CT numbers that liver cannot have.

    Args:
        removed: At the border of the mask, and removed from it.
        enclosed: Gas and fat that the mask encloses, which stay: a treated liver, or lung within a rim of chest wall.
    """

    removed: int
    enclosed: int


LIMITS = HuLimits()

_TRUNCATE = 2.0  # of the Gaussian, in standard deviations
_DARK, _REMOVED = 1, 2  # states of a voxel


def remove_implausible(
    labels: Labels, scan: CalibratedVolume, limits: HuLimits = LIMITS
) -> ImplausibleVoxels:
    """Remove voxels that are connected to the border of the mask and have CT numbers of gas, fat or bone, in place.

    Nothing is removed from MR, from CT that is not in Hounsfield units (8-bit pictures, windowed scans), or from CT
    whose intensities do not confirm the calibration: there must be air, and the body must have the CT numbers of soft
    tissue. The result does not depend on the axis order.

    Args:
        labels: 0 or 1, on the grid of the scan.
        scan: The scan.
        limits: Plausible CT numbers.

    Returns:
        The numbers of removed and of enclosed voxels.
    """
    if scan.intensity_unit != "HU" or not labels.any() or detect_modality(scan.values) != "CT":
        return ImplausibleVoxels(0, 0)
    order = scan.geometry.canonical
    mask, values = order.apply(labels), order.apply(scan.values)
    spacing_mm = tuple(scan.geometry.spacing_mm[axis] for axis in order.permutation)
    box = _box_with_margin(mask)
    mask, values = mask[box], values[box]
    depth = math.ceil(limits.bone_depth_mm / min(spacing_mm[1:]))
    states = np.zeros(mask.shape, np.uint8)
    for number, smooth in enumerate(_smoothed(mask, values, spacing_mm, limits.smoothing_mm)):
        inside = mask[number] > 0
        states[number][_dark(inside, smooth, values[number], spacing_mm[1:], limits)] = _DARK
        bright = inside & (smooth > limits.bone)
        if bright.any():
            outside = _bright_outside(mask, values, limits.bone, number)
            states[number][_continued(bright, outside, depth)] = _REMOVED
    _mark_connected(states, mask)
    removed = 0
    for plane, state in zip(mask, states, strict=True):
        plane[state == _REMOVED] = 0
        removed += int(np.count_nonzero(state == _REMOVED))
    return ImplausibleVoxels(removed, int(np.count_nonzero(states == _DARK)))


def _box_with_margin(mask: Labels) -> tuple[slice, ...]:
    """The bounding box, larger by one voxel on each side where the scan allows it."""
    box = []
    for axis, size in enumerate(mask.shape):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(np.any(mask, axis=others))
        box.append(slice(max(0, int(filled[0]) - 1), min(size, int(filled[-1]) + 2)))
    return tuple(box)


def _smoothed(
    mask: Labels, values: npt.NDArray[Any], spacing_mm: tuple[float, ...], sigma_mm: float
) -> Iterator[Plane]:
    """Each plane, smoothed in 3-D within the mask: what lies outside does not darken the border of a good mask."""
    radius = math.ceil(_TRUNCATE * sigma_mm / spacing_mm[0])
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets * spacing_mm[0] / sigma_mm) ** 2)
    sigmas = [sigma_mm / mm for mm in spacing_mm[1:]]

    def in_plane(plane: Plane) -> Plane:
        smooth: Plane = scipy.ndimage.gaussian_filter(
            plane, sigmas, mode="constant", truncate=_TRUNCATE
        )
        return smooth

    ready: dict[int, tuple[Plane, Plane]] = {}
    for number in range(len(mask)):
        sums = np.zeros((2, *mask.shape[1:]), np.float32)
        for offset, weight in zip(offsets.tolist(), weights.tolist(), strict=True):
            other = number + offset
            if not 0 <= other < len(mask):
                continue
            if other not in ready:
                inside = (mask[other] > 0).astype(np.float32)
                ready[other] = in_plane(inside * values[other]), in_plane(inside)
            sums[0] += weight * ready[other][0]
            sums[1] += weight * ready[other][1]
        ready.pop(number - radius, None)
        yield sums[0] / np.maximum(sums[1], np.float32(1e-6))


def _dark(
    inside: Plane, smooth: Plane, values: Plane, spacing_mm: tuple[float, ...], limits: HuLimits
) -> Plane:
    """Regions of gas and fat in one plane of the mask: voxels that are dark, connected to clearly dark ones."""
    gas, fat = (
        inside & (smooth < limits.gas),
        scipy.ndimage.binary_opening(inside & (smooth < limits.fat)),
    )
    if not gas.any() and not fat.any():
        return gas
    sigmas = [limits.region_mm / mm for mm in spacing_mm]
    weights = scipy.ndimage.gaussian_filter(inside.astype(np.float32), sigmas, mode="constant")
    sums = scipy.ndimage.gaussian_filter(
        np.where(inside, values, np.float32(0)), sigmas, mode="constant"
    )
    wide = sums / np.maximum(weights, np.float32(1e-6))
    regions = (
        scipy.ndimage.binary_propagation(dark & (wide < limit), mask=dark)
        for dark, limit in ((gas, limits.gas), (fat, limits.fat))
    )
    found: Plane = np.logical_or(*regions)
    return found


def _bright_outside(
    mask: Labels, values: npt.NDArray[Any], limit: float, number: int
) -> tuple[Plane, Plane]:
    """Bright voxels outside the mask in one plane, and in that plane or one next to it."""
    near = slice(max(0, number - 1), number + 2)
    bright = (mask[near] == 0) & (values[near] > limit)
    return bright[number - near.start], bright.any(axis=0)


def _continued(bright: Plane, outside: tuple[Plane, Plane], depth: int) -> Plane:
    """The bright voxels of the mask that are connected, within `depth` voxels, to bright ones outside it."""
    allowed = bright | outside[0]
    reached: Plane = scipy.ndimage.binary_dilation(
        outside[1] & allowed, mask=allowed, iterations=depth
    )
    return bright & reached


def _mark_connected(states: npt.NDArray[np.uint8], mask: Labels) -> None:
    """Mark the dark voxels that are connected (by faces) to the outside of the mask, in place."""
    upwards = [number for number, plane in enumerate(states) if (plane == _DARK).any()]
    changed = True
    while changed:  # two rounds, unless a region winds up and down
        changed = False
        for number in (*upwards, *reversed(upwards)):
            changed |= _grow(states, mask, number)


def _grow(states: npt.NDArray[np.uint8], mask: Labels, number: int) -> bool:
    """Mark the dark regions of one plane that touch the outside or a marked voxel; False if there are none."""
    dark = states[number] == _DARK
    if not dark.any():
        return False
    seeds = scipy.ndimage.binary_dilation(mask[number] == 0, border_value=1)
    for other in (number - 1, number + 1):
        if 0 <= other < len(mask):
            seeds |= (mask[other] == 0) | (states[other] == _REMOVED)
        else:
            seeds[:] = True  # the edge of the scan
    regions, count = scipy.ndimage.label(dark)
    chosen = np.zeros(count + 1, bool)
    chosen[regions[seeds & dark]] = True
    found = chosen[regions]
    states[number][found] = _REMOVED
    return bool(found.any())
