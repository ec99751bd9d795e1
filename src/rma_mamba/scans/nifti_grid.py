"""Where the voxels of a NIfTI file lie: sform, else qform, else pixdim, in the file's own units.

Source: the NIfTI-1 standard (nifti1.h, "3D IMAGE ORIENTATION AND LOCATION IN SPACE").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.volume import Affine, Geometry

# Spatial units, the lowest three bits of xyzt_units: unknown, metre, millimetre, micrometre.
_UNIT_BITS = 7
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}

# In single precision the far corners by sform and qform differ by some hundredths of a voxel.
_AGREE_VOXELS = 0.1
_AGREE_SPACING = 0.01

# b² + c² + d² of a unit quaternion may exceed 1 by its rounding in single precision, not by more.
_QUATERNION_ROUNDING = 1e-3

# The fields that say where the voxels lie: a mask inherits these, and no text.
_ROWS = ("srow_x", "srow_y", "srow_z")
_QUATERNION = ("quatern_b", "quatern_c", "quatern_d")
_OFFSETS = ("qoffset_x", "qoffset_y", "qoffset_z")
_FIELDS = ("pixdim", "xyzt_units", "qform_code", "sform_code", *_QUATERNION, *_OFFSETS, *_ROWS)


@dataclass(frozen=True, eq=False)
class GridHeader:
    """What a mask inherits from its scan's NIfTI header: where the voxels lie, bit for bit.

    Args:
        sizeof_hdr: 348 for NIfTI-1; 540 for NIfTI-2, which holds affines in double precision.
        shape: Number of voxels along i, j, k.
        fields: Raw values of the header fields that place the grid, by name.
    """

    sizeof_hdr: int
    shape: tuple[int, int, int]
    fields: dict[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, header: Any, shape: tuple[int, int, int]) -> GridHeader:
        """The grid of a nibabel header."""
        fields = {name: np.array(header[name]) for name in _FIELDS}
        return cls(int(header["sizeof_hdr"]), shape, fields)

    def numbers(self, *names: str) -> npt.NDArray[np.float64]:
        """Fields as one array in double precision."""
        return np.array([self.fields[name] for name in names], dtype=np.float64)


def fresh_grid(geometry: Geometry) -> GridHeader:
    """A grid for a scan that had no NIfTI header: its affine in mm, both codes 1 (scanner)."""
    single = np.float32
    rotation, spacing, qfac = _nearest_rotation(geometry.affine)
    fields: dict[str, Any] = dict(zip(_ROWS, geometry.affine[:3].astype(single), strict=True))
    fields |= dict(zip(_OFFSETS, geometry.affine[:3, 3].astype(single), strict=True))
    fields |= dict(zip(_QUATERNION, _quaternion(rotation).astype(single), strict=True))
    fields["pixdim"] = np.array([qfac, *spacing, 0, 0, 0, 0], dtype=single)
    fields |= {"xyzt_units": np.array(2), "qform_code": np.array(1), "sform_code": np.array(1)}
    return GridHeader(348, geometry.shape, fields)


def unit_in_mm(grid: GridHeader) -> float:
    """The header's unit of length; an unknown one counts as mm."""
    return _MM_PER_UNIT.get(int(grid.fields["xyzt_units"]) & _UNIT_BITS, 1.0)


def locate(grid: GridHeader) -> tuple[Geometry, tuple[str, ...]]:
    """The geometry in mm, with a sentence on everything in the header that contradicts it.

    Raises:
        GridError: The affine that counts is not finite or spans no volume.
    """
    warnings = []
    unit = int(grid.fields["xyzt_units"]) & _UNIT_BITS
    if unit not in _MM_PER_UNIT:
        warnings.append("The header's unit of length is unknown: it was taken as mm.")
    unit_mm = unit_in_mm(grid)
    rows = grid.numbers(*_ROWS)
    if grid.fields["sform_code"] > 0 and rows[:, :3].any():
        geometry = _geometry(grid, np.vstack([rows, [0, 0, 0, 1]]), unit_mm)
        warnings += _contradictions(grid, geometry, unit_mm)
    elif grid.fields["qform_code"] > 0:
        geometry = _geometry(grid, _qform(grid), unit_mm)
    else:
        geometry = _geometry(grid, _centred(grid), unit_mm)
        warnings.append("The header gives no orientation: left and right of the body are a guess.")
    if grid.fields["sform_code"] > 0 and not rows[:, :3].any():
        warnings.append("The header's sform is empty: it was passed over.")
    return geometry, tuple(warnings)


def _geometry(grid: GridHeader, affine: Affine, unit_mm: float) -> Geometry:
    return Geometry(grid.shape, affine * [[unit_mm], [unit_mm], [unit_mm], [1.0]])


def _contradictions(grid: GridHeader, geometry: Geometry, unit_mm: float) -> list[str]:
    """What pixdim and qform say against the sform, which counts."""
    found = []
    spacing = np.abs(grid.fields["pixdim"][1:4].astype(np.float64)) * unit_mm
    if not np.allclose(spacing, geometry.spacing_mm, rtol=_AGREE_SPACING, atol=0):
        found.append("The header's pixdim contradicts its sform: the sform was used.")
    if grid.fields["qform_code"] > 0:
        tolerance_mm = _AGREE_VOXELS * min(geometry.spacing_mm)
        try:
            agree = _geometry(grid, _qform(grid), unit_mm).matches(geometry, tolerance_mm)
        except GridError:
            agree = False
        if not agree:
            found.append("The header's qform contradicts its sform: the sform was used.")
    return found


def _spacing(grid: GridHeader) -> npt.NDArray[np.float64]:
    """pixdim along i, j, k, in the file's units; a negative sign, which has no meaning, is dropped."""
    spacing: npt.NDArray[np.float64] = np.abs(grid.fields["pixdim"][1:4].astype(np.float64))
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise GridError(
            f"the header's voxel spacing is {spacing.tolist()}; expected three positive numbers. "
            "Repair pixdim in the scan's header."
        )
    return spacing


def _qform(grid: GridHeader) -> Affine:
    """Rotation by a unit quaternion, scaled by pixdim; pixdim[0] < 0 turns the third axis round."""
    b, c, d = grid.numbers(*_QUATERNION)
    rest = 1 - (b * b + c * c + d * d)
    if not rest >= -_QUATERNION_ROUNDING:
        raise GridError(
            f"the header's qform ({b:g}, {c:g}, {d:g}) is no rotation; expected a unit quaternion. "
            "Repair the scan's header."
        )
    a, b, c, d = np.array([max(rest, 0) ** 0.5, b, c, d]) / max(1, 1 - rest) ** 0.5
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


def _centred(grid: GridHeader) -> Affine:
    """Without a code only voxel sizes are known: i runs to the left (as nibabel and FSL take it), j to the
    front, k to the head, and the centre of the grid is the origin.
    """
    steps = _spacing(grid) * [-1, 1, 1]
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (np.array(grid.shape) - 1) / 2
    return affine


def _nearest_rotation(affine: Affine) -> tuple[npt.NDArray[np.float64], Any, float]:
    """The rotation, spacing and sign of the third axis that come nearest to an affine."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    # Polar decomposition: the qform has no place for skew, the sform keeps it.
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    rotation = left @ right
    qfac = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    return rotation * [1, 1, qfac], spacing, qfac


def _quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """b, c, d of the unit quaternion of a rotation, with a >= 0.

    The quaternion is the eigenvector to the largest eigenvalue of a symmetric 4x4 matrix (Bar-Itzhack,
    J. Guid. Control Dyn. 2000): exact at half turns too, where dividing by a is not.
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
