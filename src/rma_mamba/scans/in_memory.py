"""Volumes from nibabel images and arrays in memory, with the same checks as for files."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError
from rma_mamba.scans.checks import check_size, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.nifti_grid import (
    ROUNDING_TOLERANCE_MM,
    GridHeader,
    grid_geometry,
    mm_per_unit,
)
from rma_mamba.volume import Geometry, Volume


# Header fields may contain any bits, including signalling NaN: they are checked, so NumPy need not warn.
@np.errstate(invalid="ignore", over="ignore")
def from_image(image: Any) -> Volume:
    """A nibabel image as a volume; the mask of a NIfTI image inherits its grid header.

    Raises:
        ScanError: It is not a single 3-D volume of real numbers, or its file is truncated or corrupt.
        GridError: The geometry is invalid.
    """
    try:
        raw = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        # the message of nibabel contains the path
        raise ScanError(
            "the file of the image is truncated, corrupt or missing; expected a complete file. "
            "Copy or download the scan again."
        ) from error
    volume = from_array(raw, image.affine)
    header = image.header
    import nibabel as nib  # whoever has such an image has imported it

    if not isinstance(header, nib.Nifti1Header):
        return volume
    grid = GridHeader.of(header, volume.geometry.shape)
    geometry, warnings = grid_geometry(grid)
    scale = mm_per_unit(grid)
    affine = np.asarray(image.affine, np.float64) * [[scale], [scale], [scale], [1.0]]
    if not geometry.matches(Geometry(geometry.shape, affine), ROUNDING_TOLERANCE_MM):
        return volume  # the affine was edited, and the header no longer applies
    return Volume(volume.values, geometry, None, grid, (*warnings, *volume.warnings))


def from_array(raw: npt.NDArray[Any], affine: Any) -> Volume:
    """An array [i, j, k] and its affine as a volume; further axes of length 1 are dropped.

    Raises:
        ScanError: It is not a single 3-D volume of real numbers.
        GridError: The geometry is invalid.
    """
    shape = raw.shape[:3] if raw.ndim >= 3 and math.prod(raw.shape[3:]) == 1 else raw.shape
    if len(shape) != 3 or raw.dtype.kind not in "biuf":
        raise ScanError(
            f"the scan is an array of shape {raw.shape} and type {raw.dtype}; expected three axes "
            "and real numbers. Pass one 3-D volume."
        )
    check_size(shape)
    geometry = Geometry(shape, affine)
    raw = raw.reshape(shape)
    # compact_values may modify its argument, so the caller's array is copied
    raw = raw.view(np.uint8) if raw.dtype.kind == "b" else raw
    raw = raw.copy() if raw.dtype.kind == "f" or not raw.dtype.isnative else raw
    values, repairs = compact_values(raw, 1, 0)
    return Volume(values, geometry, warnings=(*repairs, *plausibility_warnings(values, geometry)))
