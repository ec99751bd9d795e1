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
_SAME_PLACE_MM = 0.01

# Uneven steps that rounding explains: 1 % of the step, or 0.05 mm, whichever is more.
_STEP_TOLERANCE = 0.01
_STEP_TOLERANCE_MM = 0.05

# How far slices may stray sideways: 0.1 mm of rounding and a slope of 0.2 degrees.
_STRAY_MM = 0.1
_STRAY_SLOPE = 0.0035


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


def stack(planes: Sequence[Plane]) -> tuple[list[int], Geometry]:
    """Order of the slices along their normal, and the grid (i column, j row, k slice) in RAS+ mm.

    Raises:
        ScanError: The slices are not of one size, orientation and pixel spacing, share positions, lie
            askew (gantry tilt), or unevenly (missing slices).
        GridError: The directions of a slice are not perpendicular unit vectors, or a spacing is not positive.
    """
    _check_alike(planes)
    rows, columns = planes[0].size
    check_size((columns, rows, len(planes)))
    along_row, along_column = np.array(planes[0].directions).reshape(2, 3)
    normal = np.cross(along_row, along_column)
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    if len(planes) == 1:
        step = normal * _thickness(planes[0])
    else:
        _check_even(positions, normal)
        step = (positions[-1] - positions[0]) / (len(planes) - 1)
    between_rows, between_columns = planes[0].spacing
    affine = np.eye(4)
    affine[:3] = np.column_stack(
        [along_row * between_columns, along_column * between_rows, step, positions[0]]
    )
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    return order.tolist(), Geometry((columns, rows, len(planes)), lps_to_ras @ affine)


def _check_alike(planes: Sequence[Plane]) -> None:
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


def _check_even(positions: Points, normal: Points) -> None:
    """Sorted positions lie on one straight line along the normal, at even steps."""
    steps = np.diff(positions @ normal)
    shared = int(np.count_nonzero(steps < _SAME_PLACE_MM))
    if shared:
        raise ScanError(
            f"{shared} of {len(positions)} slices lie at the position of another one (several echoes, "
            "phases, b-values, or copies); expected one slice at each position. Put one of them into a "
            "folder of its own."
        )
    drift = positions - positions[0]
    ahead = drift @ normal
    aside = np.linalg.norm(drift - np.outer(ahead, normal), axis=1)
    if (aside > _STRAY_MM + _STRAY_SLOPE * ahead).any():
        angle = math.degrees(math.atan2(aside[-1], ahead[-1]))
        raise ScanError(
            f"the slices are shifted sideways from one to the next (by {aside.max():.1f} mm at most; gantry "
            f"tilt of about {angle:.1f} degrees); expected them straight above each other. "
            "Use a series that was reformatted without tilt."
        )
    _check_steps(steps)


def _check_steps(steps: Points) -> None:
    usual = float(np.median(steps))
    tolerance = max(_STEP_TOLERANCE * usual, _STEP_TOLERANCE_MM)
    if np.abs(steps - usual).max() <= tolerance:
        return
    # The median may itself be a gap in a short series; the smallest step never is.
    missing = int(np.round(steps / steps.min()).sum()) - len(steps)
    span = f"{steps.min():.2f} to {steps.max():.2f} mm apart"
    if missing:
        raise ScanError(
            f"about {missing} slice{'s' if missing > 1 else ''} of the series seem missing (neighbours are "
            f"{span}); expected even steps. Export or copy the whole series again."
        )
    raise ScanError(
        f"the slices lie unevenly (neighbours are {span}); expected even steps. "
        "Use a series that was reconstructed at one slice distance."
    )
