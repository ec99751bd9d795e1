"""The grid of a NIfTI file: from the sform, else the qform, else pixdim, in the unit of the header.

Source: the NIfTI-1 standard (nifti1.h, "3D IMAGE ORIENTATION AND LOCATION IN SPACE").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.volume import Affine, Geometry

# Spatial unit, the lowest three bits of xyzt_units: unknown, metre, millimetre, micrometre.
_UNIT_BITS = 7
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}

# NIfTI-1 stores the number of voxels along an axis in 16 bits.
_MAX_NIFTI_1_LENGTH = 2**15 - 1

# Grids from the same header differ at most by rounding to single precision.
ROUNDING_TOLERANCE_MM = 1e-3

# In single precision, far corners according to sform and qform differ by a few hundredths of a voxel.
_QFORM_TOLERANCE_VOXELS = 0.1
_PIXDIM_TOLERANCE = 0.01

# b² + c² + d² of a unit quaternion exceeds 1 at most by rounding to single precision.
_QUATERNION_ROUNDING = 1e-3

# The fields that define the grid: a mask inherits these, and no text fields.
_ROWS = ("srow_x", "srow_y", "srow_z")
_QUATERNION = ("quatern_b", "quatern_c", "quatern_d")
_OFFSETS = ("qoffset_x", "qoffset_y", "qoffset_z")
_FIELDS = ("pixdim", "xyzt_units", "qform_code", "sform_code", *_QUATERNION, *_OFFSETS, *_ROWS)


@dataclass(frozen=True, eq=False)
class GridHeader:
    """The part of a NIfTI header that a mask inherits from its scan: the grid, bit for bit.

    Args:
        sizeof_hdr: 348 for NIfTI-1; 540 for NIfTI-2, which holds affines in double precision.
        shape: Number of voxels along i, j, k.
        fields: Raw values of the header fields that define the grid, by name.
    """

    sizeof_hdr: int
    shape: tuple[int, int, int]
    fields: dict[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, header: Any, shape: tuple[int, int, int]) -> GridHeader:
        """The grid of a header of this package or of nibabel."""
        fields = {name: np.array(header[name]) for name in _FIELDS}
        return cls(int(header["sizeof_hdr"]), shape, fields)

    def numbers(self, *names: str) -> npt.NDArray[np.float64]:
        """Fields as one array of float64."""
        return np.array([self.fields[name] for name in names], dtype=np.float64)


def grid_from_geometry(geometry: Geometry) -> GridHeader:
    """A grid header for a scan that was not NIfTI: its affine in mm, sform and qform code 1 (scanner)."""
    single = np.float32
    rotation, spacing, qfac = _nearest_rotation(geometry.affine)
    fields: dict[str, Any] = dict(zip(_ROWS, geometry.affine[:3].astype(single), strict=True))
    fields |= dict(zip(_OFFSETS, geometry.affine[:3, 3].astype(single), strict=True))
    fields |= dict(zip(_QUATERNION, _quaternion(rotation).astype(single), strict=True))
    fields["pixdim"] = np.array([qfac, *spacing, 0, 0, 0, 0], dtype=single)
    fields |= {"xyzt_units": np.array(2), "qform_code": np.array(1), "sform_code": np.array(1)}
    size = 348 if max(geometry.shape) <= _MAX_NIFTI_1_LENGTH else 540
    return GridHeader(size, geometry.shape, fields)


def mm_per_unit(grid: GridHeader) -> float:
    """Millimetres per spatial unit of the header; an unknown unit is taken as mm."""
    return _MM_PER_UNIT.get(int(grid.fields["xyzt_units"]) & _UNIT_BITS, 1.0)


def grid_geometry(grid: GridHeader) -> tuple[Geometry, tuple[str, ...]]:
    """The geometry in mm, with a warning for each header field that contradicts it.

    Raises:
        GridError: The affine is not finite or is singular.
    """
    warnings = []
    unit = int(grid.fields["xyzt_units"]) & _UNIT_BITS
    if unit not in _MM_PER_UNIT:
        warnings.append("The spatial unit in the header is unknown: mm was assumed.")
    scale = mm_per_unit(grid)
    rows = grid.numbers(*_ROWS)
    if grid.fields["sform_code"] > 0 and rows[:, :3].any():
        geometry = _geometry(grid, np.vstack([rows, [0, 0, 0, 1]]), scale)
        warnings += _contradictions(grid, geometry, scale)
    elif grid.fields["qform_code"] > 0:
        geometry = _geometry(grid, _qform(grid), scale)
    else:
        geometry = _geometry(grid, _default_affine(grid), scale)
        warnings.append("The header defines no orientation: left and right may be swapped.")
    if grid.fields["sform_code"] > 0 and not rows[:, :3].any():
        warnings.append("The sform in the header is empty: it was ignored.")
    return geometry, tuple(warnings)


def _geometry(grid: GridHeader, affine: Affine, scale: float) -> Geometry:
    return Geometry(grid.shape, affine * [[scale], [scale], [scale], [1.0]])


def _contradictions(grid: GridHeader, geometry: Geometry, scale: float) -> list[str]:
    """Warnings about pixdim and qform where they contradict the sform, which takes precedence."""
    found = []
    spacing = np.abs(grid.fields["pixdim"][1:4].astype(np.float64)) * scale
    if not np.allclose(spacing, geometry.spacing_mm, rtol=_PIXDIM_TOLERANCE, atol=0):
        found.append("The pixdim in the header contradicts the sform: the sform was used.")
    if grid.fields["qform_code"] > 0:
        tolerance_mm = _QFORM_TOLERANCE_VOXELS * min(geometry.spacing_mm)
        try:
            agree = _geometry(grid, _qform(grid), scale).matches(geometry, tolerance_mm)
        except GridError:
            agree = False
        if not agree:
            found.append("The qform in the header contradicts the sform: the sform was used.")
    return found


def _spacing(grid: GridHeader) -> npt.NDArray[np.float64]:
    """pixdim along i, j, k, in the unit of the header; a negative sign has no meaning and is dropped."""
    spacing: npt.NDArray[np.float64] = np.abs(grid.fields["pixdim"][1:4].astype(np.float64))
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise GridError(
            f"the voxel spacing in the header is {spacing.tolist()}; expected three positive numbers. "
            "Correct pixdim in the header of the scan."
        )
    return spacing


def _qform(grid: GridHeader) -> Affine:
    """Affine from a unit quaternion and pixdim; pixdim[0] < 0 reverses the third axis."""
    b, c, d = grid.numbers(*_QUATERNION)
    remainder = 1 - (b * b + c * c + d * d)
    if not remainder >= -_QUATERNION_ROUNDING:
        raise GridError(
            f"the qform quaternion in the header ({b:g}, {c:g}, {d:g}) is not a rotation; expected a unit quaternion. "
            "Correct the header of the scan."
        )
    a, b, c, d = np.array([max(remainder, 0) ** 0.5, b, c, d]) / max(1, 1 - remainder) ** 0.5
    qfac = -1.0 if grid.fields["pixdim"][0] < 0 else 1.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * (_spacing(grid) * [1, 1, qfac])
    affine[:3, 3] = grid.numbers(*_OFFSETS)
    return affine


def _default_affine(grid: GridHeader) -> Affine:
    """Affine without orientation codes: i to the left (as in nibabel and FSL), j to anterior, k to superior,
    with the origin at the centre of the grid.
    """
    steps = _spacing(grid) * [-1, 1, 1]
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (np.array(grid.shape) - 1) / 2
    return affine


def _nearest_rotation(affine: Affine) -> tuple[npt.NDArray[np.float64], Any, float]:
    """The rotation closest to an affine, its spacing, and the sign of the third axis (qfac)."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    # Polar decomposition: the qform cannot represent shear; the sform keeps it.
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    rotation = left @ right
    qfac = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    return rotation * [1, 1, qfac], spacing, qfac


def _quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Components b, c, d of the unit quaternion of a rotation, with a >= 0.

    The quaternion is the eigenvector of the largest eigenvalue of a symmetric 4x4 matrix (Bar-Itzhack,
    J. Guid. Control Dyn. 2000), which is also accurate for rotations by 180 degrees, where a is zero.
    """
    m = rotation
    symmetric = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2]],
            [m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], m[2, 1] + m[1, 2]],
            [m[1, 0] - m[0, 1], m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    quaternion: npt.NDArray[np.float64] = np.linalg.eigh(symmetric)[1][:, -1]
    return quaternion[1:] * (-1 if quaternion[0] < 0 else 1)
