"""Position, orientation and pixel spacing of single slices.

Positions and directions are in DICOM's LPS+ millimetres: x to the left, y to posterior, z to superior.
Source: DICOM PS3.3 C.7.6.2 (Image Plane Module).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError, ScanError

Points = npt.NDArray[np.float64]

# Direction cosines are written with about six decimals and vary by a few millionths between slices.
DIRECTION_TOLERANCE = 1e-3

# Two slices closer than this are at the same position.
SAME_POSITION_MM = 0.01

_EXPORT_AGAIN = "Export the series again from the source system."


@dataclass(frozen=True)
class Plane:
    """Geometry of one slice.

    Args:
        position: Centre of the first pixel, LPS+ mm.
        directions: Unit vectors along a row (towards the next column) and along a column (towards the next row).
        spacing: Distance between rows and between columns in mm, in the order of DICOM.
        size: Number of rows and columns.
        thickness_mm: Slice spacing or thickness from the header, if present; used for a single slice only.
    """

    position: tuple[float, ...]
    directions: tuple[float, ...]
    spacing: tuple[float, ...]
    size: tuple[int, int]
    thickness_mm: float | None = None

    @property
    def axes(self) -> Points:
        """Unit vectors along a row, along a column, and their normal, one per row of the matrix."""
        axes = np.array(self.directions).reshape(2, 3)
        return np.vstack([axes, np.cross(axes[0], axes[1])])


def positions_of(planes: Sequence[Plane]) -> Points:
    """Positions [slice, 3] in LPS+ mm."""
    return np.array([plane.position for plane in planes], dtype=np.float64)


def positions_along_normal(planes: Sequence[Plane]) -> Points:
    """Positions of parallel slices along their normal, in mm."""
    along: Points = positions_of(planes) @ planes[0].axes[2]
    return along


def check_consistent(planes: Sequence[Plane]) -> None:
    """Check that all slices have the same size, orientation and pixel spacing.

    Raises:
        ScanError: They differ.
        GridError: The directions are not perpendicular unit vectors, or the spacing is not positive.
    """
    sizes = sorted({plane.size for plane in planes})
    if len(sizes) > 1:
        examples = ", ".join(f"{rows} x {columns}" for rows, columns in sizes[:3])
        raise ScanError(
            f"the slices have {len(sizes)} sizes ({examples}{', ...' if len(sizes) > 3 else ''}); expected "
            "one size. Put the slices of each reconstruction into a separate folder."
        )
    orientations = count_distinct([plane.directions for plane in planes], DIRECTION_TOLERANCE)
    if orientations > 1:
        raise ScanError(
            f"the slices have {orientations} orientations; expected parallel slices. "
            "Put the slices of each orientation into a separate folder."
        )
    spacings = count_distinct([plane.spacing for plane in planes], DIRECTION_TOLERANCE)
    if spacings > 1:
        raise ScanError(
            f"the slices have {spacings} pixel spacings; expected one pixel spacing. "
            "Put the slices of each reconstruction into a separate folder."
        )
    axes = planes[0].axes[:2]
    if not np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=DIRECTION_TOLERANCE):
        raise GridError(
            "ImageOrientationPatient of the slices is invalid; expected two perpendicular unit vectors. "
            f"{_EXPORT_AGAIN}"
        )
    if min(planes[0].spacing) <= 0:
        raise GridError(
            f"PixelSpacing of the slices is {planes[0].spacing} mm; expected two positive numbers. "
            f"{_EXPORT_AGAIN}"
        )


def count_distinct(rows: Sequence[tuple[float, ...]], tolerance: float) -> int:
    """Number of rows that differ by more than a tolerance."""
    distinct: list[Points] = []
    for row in np.unique(np.array(rows, dtype=np.float64), axis=0):
        if not any(np.abs(row - other).max() <= tolerance for other in distinct):
            distinct.append(row)
    return len(distinct)
