"""Slices that know their place in the patient, put in order as one regular grid, or refused.

Positions and directions here are DICOM's: LPS+ millimetres, x to the left, y to the back, z to the head.
Source: DICOM PS3.3 C.7.6.2 (Image Plane Module).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError, ScanError
from rma_mamba.scans.checks import check_size
from rma_mamba.volume import Geometry

Points = npt.NDArray[np.float64]

# Directions are written with about six decimals; scanners repeat them with an error of some millionths.
_DIRECTION_TOLERANCE = 1e-3

# Two positions closer than this are one place in the body.
SAME_POSITION_MM = 0.01

# Uneven steps that rounding explains: 1 % of the step, or 0.05 mm, whichever is more.
_STEP_TOLERANCE = 0.01
_STEP_TOLERANCE_MM = 0.05

# How far slices may stray sideways: 0.1 mm of rounding and a slope of 0.2 degrees.
_STRAY_MM = 0.1
_STRAY_SLOPE = 0.0035

# What can be repaired: gaps no wider than a vertebra is high, fewer slices missing than half of those that
# are there, and a drift of less than half of the image.
_WIDEST_GAP_MM = 30.0
MAX_MISSING_FRACTION = 0.5
_MOST_DRIFT = 0.5

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_EXPORT = "Export or copy the whole series again"


@dataclass(frozen=True)
class Plane:
    """Where one slice lies.

    Args:
        position: Centre of the first pixel, LPS+ mm.
        directions: Unit vectors along a row (to the next column) and along a column (to the next row).
        spacing: Distance between rows and between columns, in mm, in DICOM's order.
        size: Number of rows and columns.
        thickness_mm: Distance to the next slice where the file gives one; counts for a single slice only.
    """

    position: tuple[float, ...]
    directions: tuple[float, ...]
    spacing: tuple[float, ...]
    size: tuple[int, int]
    thickness_mm: float | None = None


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """Slices in order, and the one regular grid on which they lie or are brought.

    Args:
        order: Number of the plane of each slice, along their normal.
        geometry: The grid (i column, j row, k along the slices), in RAS+ mm.
        offsets: float64 [slice, 3], index (i, j, k) on the grid of each slice's first pixel.
        repairs: What is wrong with the slices and how the grid amends it, one sentence each.
    """

    order: list[int]
    geometry: Geometry
    offsets: Points
    repairs: tuple[str, ...] = ()


def fit_grid(
    planes: Sequence[Plane], *, strict: bool = False, also: Sequence[str] = ()
) -> SliceGrid:
    """Bring slices into order and find their grid.

    Slices that lie evenly and straight above each other are the grid. Otherwise (missing slices, uneven
    steps, a tilted gantry) the grid has the usual step and is as wide as all slices together.

    Args:
        planes: Where the slices lie, in any order.
        strict: Refuse what would have to be repaired, with a list of it.
        also: What else is known to be wrong, for that list.

    Raises:
        ScanError: The slices are not of one size, orientation and pixel spacing, share positions, or lie
            so unevenly that no grid can be told; if strict, uneven in any way.
        GridError: The directions of a slice are not perpendicular unit vectors, or a spacing is not positive.
    """
    check_consistent(planes)
    rows, columns = planes[0].size
    check_size((columns, rows, len(planes)))
    axes = _axes(planes[0])
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    order = np.argsort(positions @ axes[2], kind="stable")
    positions = positions[order]
    if len(planes) == 1:
        _refuse_if(strict, also)
        step = axes[2] * _thickness(planes[0])
        geometry = _grid(planes[0], (columns, rows, 1), step, positions[0])
        return SliceGrid(order.tolist(), geometry, np.zeros((1, 3)))
    _check_apart(positions @ axes[2])
    heights, faults = _heights(positions @ axes[2])
    tilt = _tilt(positions, axes[2])
    faults += [tilt] if tilt else []
    _refuse_if(strict, [*also, *(fault.found for fault in faults)])
    lost = next((fault.beyond for fault in faults if fault.beyond), "")
    if lost:
        raise ScanError(lost)
    count = round(float(heights[-1])) + 1
    step = (positions[-1] - positions[0]) / (count - 1)
    start, offsets = positions[0], np.zeros((len(planes), 3))
    if tilt:
        step = axes[2] * (step @ axes[2])
        start, offsets, (columns, rows) = _straight(positions, axes, planes[0])
    offsets[:, 2] = heights
    check_size((columns, rows, count))
    geometry = _grid(planes[0], (columns, rows, count), step, start)
    return SliceGrid(order.tolist(), geometry, offsets, tuple(fault.repaired for fault in faults))


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a stack: in words, how it is repaired, and the error if that cannot be."""

    found: str
    repaired: str
    beyond: str = ""


def _refuse_if(strict: bool, found: Sequence[str]) -> None:
    if strict and found:
        raise ScanError(
            f"{'; '.join(found)}; expected one slice at each place, straight above each other, at even steps. "
            f"{_EXPORT}, or leave out strict to have it repaired."
        )


def positions_along_normal(planes: Sequence[Plane]) -> Points:
    """Where parallel slices lie along their normal, in mm."""
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    heights: Points = positions @ _axes(planes[0])[2]
    return heights


def _axes(plane: Plane) -> Points:
    """Unit vectors along a row, along a column, and along the slices' normal."""
    along_row, along_column = np.array(plane.directions).reshape(2, 3)
    return np.array([along_row, along_column, np.cross(along_row, along_column)])


def _grid(plane: Plane, shape: tuple[int, int, int], step: Points, start: Points) -> Geometry:
    between_rows, between_columns = plane.spacing
    along_row, along_column, _ = _axes(plane)
    affine = np.eye(4)
    affine[:3] = np.column_stack(
        [along_row * between_columns, along_column * between_rows, step, start]
    )
    return Geometry(shape, _LPS_TO_RAS @ affine)


def check_consistent(planes: Sequence[Plane]) -> None:
    """All slices have one size, one orientation and one pixel spacing, and these make sense."""
    sizes = sorted({plane.size for plane in planes})
    if len(sizes) > 1:
        found = ", ".join(f"{rows} x {columns}" for rows, columns in sizes[:3])
        raise ScanError(
            f"the slices have {len(sizes)} sizes ({found}{', ...' if len(sizes) > 3 else ''}); expected "
            "one. Put the slices of one reconstruction into a folder of their own."
        )
    orientations = _distinct([plane.directions for plane in planes], _DIRECTION_TOLERANCE)
    if orientations > 1:
        raise ScanError(
            f"the slices have {orientations} orientations; expected parallel slices. "
            "Put the slices of one orientation into a folder of their own."
        )
    spacings = _distinct([plane.spacing for plane in planes], _DIRECTION_TOLERANCE)
    if spacings > 1:
        raise ScanError(
            f"the slices have {spacings} pixel spacings; expected one. "
            "Put the slices of one reconstruction into a folder of their own."
        )
    axes = np.array(planes[0].directions).reshape(2, 3)
    if not np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=_DIRECTION_TOLERANCE):
        raise GridError(
            "the slices' ImageOrientationPatient is not two perpendicular unit vectors; expected these. "
            "Export the series again from its source."
        )
    if min(planes[0].spacing) <= 0:
        raise GridError(
            f"the slices' PixelSpacing is {planes[0].spacing} mm; expected two positive numbers. "
            "Export the series again from its source."
        )


def _distinct(rows: Sequence[tuple[float, ...]], tolerance: float) -> int:
    """Number of clearly different rows."""
    kinds: list[Points] = []
    for row in np.unique(np.array(rows, dtype=np.float64), axis=0):
        if not any(np.abs(row - kind).max() <= tolerance for kind in kinds):
            kinds.append(row)
    return len(kinds)


def _thickness(plane: Plane) -> float:
    if plane.thickness_mm is None:
        raise ScanError(
            "the folder holds a single slice without SliceThickness; expected a thickness or more slices. "
            "Give the folder of the whole series."
        )
    return plane.thickness_mm


def _check_apart(heights: Points) -> None:
    shared = int(np.count_nonzero(np.diff(heights) < SAME_POSITION_MM))
    if shared:
        raise ScanError(
            f"{shared} of {len(heights)} slices lie at the position of another one (several echoes, "
            "phases, b-values, or copies); expected one slice at each position. Put one of them into a "
            "folder of its own."
        )


def _heights(along: Points) -> tuple[Points, list[_Fault]]:
    """Where sorted slices lie on an even grid along their normal, in steps, and what is uneven about them."""
    steps = np.diff(along)
    # A short series may have as many gaps as steps; the smallest step never is a gap.
    usual = float(np.median(steps[steps < 1.5 * steps.min()]))
    multiples = np.maximum(np.round(steps / usual), 1)
    count = int(multiples.sum())
    step = float(along[-1] - along[0]) / count
    heights = (along - along[0]) / step
    whole = np.concatenate([[0], np.cumsum(multiples)])
    tolerance = max(_STEP_TOLERANCE * step, _STEP_TOLERANCE_MM)
    even = np.abs(steps - multiples * step).max() <= tolerance
    missing = count - len(steps)
    span = f"neighbours are {steps.min():.2f} to {steps.max():.2f} mm apart"
    faults = [_missing(missing, span, len(along), float(steps.max()))] if missing else []
    if not even:
        found = f"the slices lie unevenly ({span})"
        repaired = (
            f"The slices lie unevenly ({span}): they were resampled at steps of {step:.2f} mm."
        )
        faults.append(_Fault(found, repaired))
        return heights, faults
    return whole.astype(np.float64), faults


def _missing(missing: int, span: str, count: int, widest_mm: float) -> _Fault:
    slices, were = ("slice", "it was") if missing == 1 else ("slices", "they were")
    seem = "seems" if missing == 1 else "seem"
    found = f"about {missing} {slices} of the series {seem} missing ({span})"
    repaired = (
        f"About {missing} {slices} of the series {seem} missing ({span}): {were} filled in from the slices "
        "beside the gap, and the mask there is a guess."
    )
    if missing <= MAX_MISSING_FRACTION * count and widest_mm <= _WIDEST_GAP_MM:
        return _Fault(found, repaired)
    return _Fault(found, repaired, f"{found}; expected even steps. {_EXPORT}.")


def _tilt(positions: Points, normal: Points) -> _Fault | None:
    """How sorted slices slide sideways, if they do."""
    drift = positions - positions[0]
    ahead = drift @ normal
    aside = np.linalg.norm(drift - np.outer(ahead, normal), axis=1)
    if not (aside > _STRAY_MM + _STRAY_SLOPE * ahead).any():
        return None
    angle = math.degrees(math.atan2(aside[-1], ahead[-1]))
    detail = (
        f"slices are shifted sideways from one to the next (by {aside.max():.1f} mm at most; gantry "
        f"tilt of about {angle:.1f} degrees)"
    )
    return _Fault(f"the {detail}", f"The {detail}: they were resampled straight above each other.")


def _straight(
    positions: Points, axes: Points, plane: Plane
) -> tuple[Points, Points, tuple[int, int]]:
    """Start, offsets and size in plane of a straight grid that holds slices which slide sideways."""
    between_rows, between_columns = plane.spacing
    spacing = np.array([between_columns, between_rows])
    shifts = (positions - positions[0]) @ axes[:2].T / spacing
    rows, columns = plane.size
    low, high = np.floor(shifts.min(axis=0) + 1e-6), np.ceil(shifts.max(axis=0) - 1e-6)
    if (high - low > _MOST_DRIFT * np.array([columns, rows]) + 1).any():
        drift = float(((high - low) * spacing).max())
        raise ScanError(
            f"the slices are shifted sideways by {drift:.0f} mm from first to last; expected less than half "
            "of the image. Use a series that was reformatted without tilt."
        )
    offsets = np.zeros((len(positions), 3))
    offsets[:, :2] = shifts - low
    extra = (high - low).astype(int).tolist()
    start = positions[0] + (low * spacing) @ axes[:2]
    return start, offsets, (columns + extra[0], rows + extra[1])
