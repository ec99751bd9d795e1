"""Rescaled intensities in the most compact of three data types: uint8, int16 or float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError

NOT_FINITE = "voxels were not finite numbers"  # part of the warning about replaced voxels

_INT16 = np.iinfo(np.int16)


def compact_values(
    raw: npt.NDArray[Any], slope: float, intercept: float
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Rescale stored values and replace NaN and infinity.

    Args:
        raw: Stored voxels [i, j, k] of any real type and byte order; their memory may be reused.
        slope, intercept: Finite numbers; the result is `raw` * slope + intercept.

    Returns:
        The values (uint8 as stored, int16 if all are integers in its range, else float32) and a warning if
        voxels were replaced.

    Raises:
        ScanError: No voxel is a finite number.
    """
    unscaled = slope == 1 and intercept == 0
    if unscaled and raw.dtype == np.uint8:
        return raw, ()
    dtype = _compact_dtype(raw, slope, intercept)
    if unscaled and raw.dtype.newbyteorder("=") == dtype:
        values = raw if raw.dtype.isnative else raw.byteswap(inplace=True).view(dtype)
    else:
        values = np.empty(raw.shape, dtype, order="F")
        # Slice by slice, so that the whole volume never exists in double precision.
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(raw.shape[2]):
                values[:, :, k] = raw[:, :, k].astype(np.float64) * slope + intercept
    return (values, ()) if dtype == np.int16 else _without_non_finite(values)


def _compact_dtype(raw: npt.NDArray[Any], slope: float, intercept: float) -> np.dtype[Any]:
    if raw.dtype.kind not in "iu" or not (
        float(slope).is_integer() and float(intercept).is_integer()
    ):
        return np.dtype(np.float32)
    limits = [float(limit) * slope + intercept for limit in (raw.min(), raw.max())]
    fits = _INT16.min <= min(limits) and max(limits) <= _INT16.max
    return np.dtype(np.int16 if fits else np.float32)


def _without_non_finite(
    values: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    finite = np.isfinite(values)
    count = values.size - int(np.count_nonzero(finite))
    if count == 0:
        return values, ()
    if count == values.size:
        raise ScanError(
            "no voxel of the scan is a finite number; expected intensities. Export the scan again."
        )
    values[~finite] = np.min(values, where=finite, initial=np.inf)
    return values, (f"{count} {NOT_FINITE}: they were set to the lowest value of the scan.",)
