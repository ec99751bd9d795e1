"""Intensities in the leanest type that holds them: uint8, int16 or float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError

NOT_FINITE = "voxels were not finite numbers"  # in the sentence on what was replaced

_INT16 = np.iinfo(np.int16)


def compact_values(
    raw: npt.NDArray[Any], slope: float, intercept: float
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """`raw` * slope + intercept, without NaN or infinity, and a sentence on what was replaced.

    Args:
        raw: Stored voxels [i, j, k] of any real type and byte order; its memory may be reused.
        slope, intercept: Finite numbers.

    Returns:
        uint8 as stored, int16 where whole numbers fit into it, else float32.

    Raises:
        ScanError: No voxel is a finite number.
    """
    unscaled = slope == 1 and intercept == 0
    if unscaled and raw.dtype == np.uint8:
        return raw, ()
    dtype = _leanest(raw, slope, intercept)
    if unscaled and raw.dtype.newbyteorder("=") == dtype:
        values = raw if raw.dtype.isnative else raw.byteswap(inplace=True).view(dtype)
    else:
        values = np.empty(raw.shape, dtype, order="F")
        # Slice by slice: the double precision of the scaling never holds the whole volume.
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(raw.shape[2]):
                values[:, :, k] = raw[:, :, k].astype(np.float64) * slope + intercept
    return (values, ()) if dtype == np.int16 else _finite(values)


def _leanest(raw: npt.NDArray[Any], slope: float, intercept: float) -> np.dtype[Any]:
    whole = raw.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer()
    ends = [float(end) * slope + intercept for end in (raw.min(), raw.max())] if whole else []
    fits = whole and _INT16.min <= min(ends) and max(ends) <= _INT16.max
    return np.dtype(np.int16 if fits else np.float32)


def _finite(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    finite = np.isfinite(values)
    count = values.size - int(np.count_nonzero(finite))
    if count == 0:
        return values, ()
    if count == values.size:
        raise ScanError(
            "no voxel of the scan is a finite number; expected intensities. Export the scan again."
        )
    values[~finite] = np.min(values, where=finite, initial=np.inf)
    return values, (f"{count} {NOT_FINITE}: they got the lowest value of the scan.",)
