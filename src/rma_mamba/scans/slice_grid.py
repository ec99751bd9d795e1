"""The regular grid of a stack of slices, found from their positions.

Positions and directions are in DICOM's LPS+ millimetres: x to the left, y to posterior, z to superior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rma_mamba.errors import ScanError
from rma_mamba.scans.checks import check_size
from rma_mamba.scans.slice_planes import (
    SAME_POSITION_MM,
    Plane,
    Points,
    check_consistent,
    positions_of,
)
from rma_mamba.volume import LPS_TO_RAS, Geometry

# Deviations from even spacing that are attributed to rounding: 1% of the slice spacing, or 0.05 mm if larger.
_SPACING_TOLERANCE = 0.01
_SPACING_TOLERANCE_MM = 0.05

# In-plane shifts that are not gantry tilt: 0.1 mm of rounding, and a slope of 0.2 degrees.
_SHIFT_TOLERANCE_MM = 0.1
_SHIFT_TOLERANCE_SLOPE = 0.0035

# Limits of repairs: gaps no wider than a vertebral body, missing slices at most half as many as the
# slices that are present, and a total in-plane shift below half of the image.
_MAX_GAP_MM = 30.0
MAX_MISSING_FRACTION = 0.5
_MAX_SHIFT_FRACTION = 0.5


_EXPORT_AGAIN = "Export or copy the whole series again"


@dataclass(frozen=True, eq=False)
class SliceGrid:
    """Sorted slices and the regular grid of their volume.

    Args:
        order: Indices of the planes, sorted along the normal.
        geometry: The grid (i columns, j rows, k slices) in RAS+ mm.
        offsets: float64 [slice, 3]: grid index (i, j, k) of the first pixel of each slice.
        repairs: One warning for each irregularity of the slices, including how it is corrected.
        missing: Indices along k of slices that the planes lack.
    """

    order: list[int]
    geometry: Geometry
    offsets: Points
    repairs: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Irregularity:
    """What is wrong with a stack of slices.

    Args:
        description: For the error of strict reading.
        repair: The warning, including how it is corrected.
        error: Why it cannot be corrected; "" if it can.
    """

    description: str
    repair: str
    error: str = ""


def fit_grid(
    planes: Sequence[Plane], *, strict: bool = False, problems: Sequence[str] = ()
) -> SliceGrid:
    """Sort slices and find their regular grid.

    Evenly spaced slices without tilt already form the grid. Otherwise (missing slices, uneven spacing, gantry
    tilt) the grid is evenly spaced, has no tilt, and covers all slices.

    Args:
        planes: The slices in any order.
        strict: Raise an error that lists all irregularities instead of correcting them.
        problems: Other problems of the series, to be included in that list.

    Raises:
        ScanError: The slices differ in size, orientation or pixel spacing, share positions, or are too irregular
            (if strict, irregular at all).
        GridError: The directions are not perpendicular unit vectors, or a spacing is not positive.
    """
    check_consistent(planes)
    rows, columns = planes[0].size
    check_size((columns, rows, len(planes)))
    axes = planes[0].axes
    positions = positions_of(planes)
    order = np.argsort(positions @ axes[2], kind="stable")
    positions = positions[order]
    if len(planes) == 1:
        _check_strict(strict, problems)
        step = axes[2] * _thickness_mm(planes[0])
        geometry = _geometry(planes[0], (columns, rows, 1), step, positions[0])
        return SliceGrid(order.tolist(), geometry, np.zeros((1, 3)))
    _check_distinct_positions(positions @ axes[2])
    indices, missing, irregularities = _slice_indices(positions @ axes[2])
    tilt = _tilt(positions, axes[2])
    irregularities += [tilt] if tilt else []
    _check_strict(strict, [*problems, *(found.description for found in irregularities)])
    _check_correctable(irregularities)
    count = round(float(indices[-1])) + 1
    step = (positions[-1] - positions[0]) / (count - 1)
    start, offsets = positions[0], np.zeros((len(planes), 3))
    if tilt:
        step = axes[2] * (step @ axes[2])
        start, offsets, (columns, rows) = _enclosing_grid(positions, planes[0])
    offsets[:, 2] = indices
    check_size((columns, rows, count))
    geometry = _geometry(planes[0], (columns, rows, count), step, start)
    repairs = tuple(found.repair for found in irregularities)
    return SliceGrid(order.tolist(), geometry, offsets, repairs, missing)


def _geometry(plane: Plane, shape: tuple[int, int, int], step: Points, start: Points) -> Geometry:
    row_spacing, column_spacing = plane.spacing
    along_row, along_column, _ = plane.axes
    affine = np.eye(4)
    affine[:3] = np.column_stack(
        [along_row * column_spacing, along_column * row_spacing, step, start]
    )
    return Geometry(shape, LPS_TO_RAS @ affine)


def _check_strict(strict: bool, problems: Sequence[str]) -> None:
    if strict and problems:
        raise ScanError(
            f"{'; '.join(problems)}; expected evenly spaced slices without gaps, duplicates or tilt. "
            f"{_EXPORT_AGAIN}, or read it without strict to repair it."
        )


def _check_correctable(irregularities: Sequence[_Irregularity]) -> None:
    error = next((found.error for found in irregularities if found.error), "")
    if error:
        raise ScanError(error)


def _thickness_mm(plane: Plane) -> float:
    if plane.thickness_mm is None:
        raise ScanError(
            "the series is a single slice without SliceThickness; expected a thickness or several slices. "
            "Pass the folder of the whole series."
        )
    return plane.thickness_mm


def _check_distinct_positions(along: Points) -> None:
    shared = int(np.count_nonzero(np.diff(along) < SAME_POSITION_MM))
    if shared:
        raise ScanError(
            f"{shared} of {len(along)} slices have the same position as another slice (several echoes, "
            "phases, b-values, or duplicates); expected one slice per position. Put each volume into a "
            "separate folder."
        )


def _slice_indices(along: Points) -> tuple[Points, tuple[int, ...], list[_Irregularity]]:
    """Positions of sorted slices along k of the grid, in slice spacings; what is missing; their irregularities."""
    steps = np.diff(along)
    # A short series may have as many gaps as regular steps; the smallest step is never a gap.
    usual = float(np.median(steps[steps < 1.5 * steps.min()]))
    multiples = np.maximum(np.round(steps / usual), 1)
    count = int(multiples.sum())
    step = float(along[-1] - along[0]) / count
    tolerance = max(_SPACING_TOLERANCE * step, _SPACING_TOLERANCE_MM)
    even = np.abs(steps - multiples * step).max() <= tolerance
    present = np.concatenate([[0], np.cumsum(multiples)]).astype(np.int64)
    missing = tuple(sorted({*range(count + 1)} - {*present.tolist()}))
    span = f"slice spacing {steps.min():.2f} to {steps.max():.2f} mm"
    irregularities = []
    if missing:
        irregularities.append(_missing_slices(len(missing), span, len(along), float(steps.max())))
    if even:
        return present.astype(np.float64), missing, irregularities
    uneven = f"the slices are unevenly spaced ({span})"
    repair = f"The slices are unevenly spaced ({span}): they were resampled to a spacing of {step:.2f} mm."
    irregularities.append(_Irregularity(uneven, repair))
    return (along - along[0]) / step, missing, irregularities


def _missing_slices(missing: int, span: str, count: int, largest_gap_mm: float) -> _Irregularity:
    slices, were = ("slice", "it was") if missing == 1 else ("slices", "they were")
    seem = "seems" if missing == 1 else "seem"
    description = f"about {missing} {slices} of the series {seem} to be missing ({span})"
    repair = (  # as in the flag `missing_slices`, so that it is said once
        f"About {missing} {slices} of the series {seem} to be missing: {were} interpolated from the slices next to "
        "the gap, and the mask is not reliable there."
    )
    if missing <= MAX_MISSING_FRACTION * count and largest_gap_mm <= _MAX_GAP_MM:
        return _Irregularity(description, repair)
    error = f"{description}; expected evenly spaced slices. {_EXPORT_AGAIN}."
    return _Irregularity(description, repair, error)


def _tilt(positions: Points, normal: Points) -> _Irregularity | None:
    """The in-plane shift of sorted slices, if there is one."""
    shift = positions - positions[0]
    along = shift @ normal
    in_plane = np.linalg.norm(shift - np.outer(along, normal), axis=1)
    if not (in_plane > _SHIFT_TOLERANCE_MM + _SHIFT_TOLERANCE_SLOPE * along).any():
        return None
    angle = math.degrees(math.atan2(in_plane[-1], along[-1]))
    detail = (
        f"slices are shifted in-plane relative to each other (by up to {in_plane.max():.1f} mm; gantry "
        f"tilt of about {angle:.1f} degrees)"
    )
    return _Irregularity(
        f"the {detail}", f"The {detail}: they were resampled to a grid without tilt."
    )


def _enclosing_grid(positions: Points, plane: Plane) -> tuple[Points, Points, tuple[int, int]]:
    """Start, offsets and in-plane size of a grid without tilt that contains all slices."""
    row_spacing, column_spacing = plane.spacing
    spacing = np.array([column_spacing, row_spacing])
    in_plane = plane.axes[:2]
    shifts = (positions - positions[0]) @ in_plane.T / spacing
    rows, columns = plane.size
    low, high = np.floor(shifts.min(axis=0) + 1e-6), np.ceil(shifts.max(axis=0) - 1e-6)
    if (high - low > _MAX_SHIFT_FRACTION * np.array([columns, rows]) + 1).any():
        largest = float(((high - low) * spacing).max())
        raise ScanError(
            f"the slices are shifted in-plane by {largest:.0f} mm from first to last; expected less than half "
            "of the image. Use a series that was reformatted without tilt."
        )
    offsets = np.zeros((len(positions), 3))
    offsets[:, :2] = shifts - low
    extra = (high - low).astype(int).tolist()
    start = positions[0] + (low * spacing) @ in_plane
    return start, offsets, (columns + extra[0], rows + extra[1])
