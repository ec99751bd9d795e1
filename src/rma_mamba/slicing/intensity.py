"""Grey values to [0, 1]: a HU window for CT, robust percentiles for MR; found once per volume.

Only order statistics and counts are used, never a mean: they do not depend, not even in the last bit,
on the order in which a file happens to store its axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.volume import Modality, Volume

Values = npt.NDArray[Any]

_AIR_HU = -900  # the lung and the air around a patient lie under it, and so do all padding values
_DARK_HU = -200  # darker than fat: air, lung, bowel gas
_AIR_SHARE = 0.005  # bowel gas and the rim of a tight crop; noise and ringing in MR never reach it
_BODY_LEVEL = 0.1  # of the bright end of the scan; the noise of air around a patient stays below it
_ENOUGH_VOXELS = (
    2**24
)  # percentiles of more voxels than this are taken from every n-th row and column


@dataclass(frozen=True)
class IntensityScale:
    """Grey values that become 0 and 1; equal ones (a constant volume) make everything 0."""

    low: float
    high: float

    @classmethod
    def of_volume(cls, volume: Volume, recipe: SliceRecipe) -> IntensityScale:
        """The scale of a scan: its modality is the file's own, else told from the values."""
        values = volume.geometry.canonical.apply(volume.values)
        if (volume.modality or detect_modality(values)) == "CT":
            return cls(*recipe.ct_window_hu)
        return cls(*_body_range(_sample(values), *recipe.mr_percentiles))

    def apply(self, values: Values) -> npt.NDArray[np.float32]:
        """Values of any shape and real type to float32 in [0, 1]; NaN becomes 0."""
        if not self.high > self.low:
            return np.zeros(values.shape, np.float32)
        # 8 and 16 bit scans are scaled in float32, all others in float64
        scaled = values.astype(np.result_type(values.dtype, np.float32))
        np.clip(scaled, self.low, self.high, out=scaled)
        scaled -= self.low
        scaled /= self.high - self.low
        np.nan_to_num(scaled, copy=False, nan=0.0)
        unit: npt.NDArray[np.float32] = np.clip(scaled, 0, 1).astype(np.float32, copy=False)
        return unit


def detect_modality(values: Values) -> Modality:
    """CT if the values are Hounsfield units, else MR.

    Hounsfield units reach down to air (-1000) or to a padding value below it, and a share of the voxels
    is darker than fat. A CT that was windowed to 0..255 counts as MR: percentiles are what it needs.

    Args:
        values: A whole scan in any axis order and real type.
    """
    if values.dtype.kind in "bu" or values.size == 0:
        return "MR"
    dark = lowest = 0
    for part in values:  # part by part: no second scan in memory
        finite = np.isfinite(part)
        dark += int(np.count_nonzero((part < _DARK_HU) & finite))
        lowest = min(lowest, part.min(where=finite, initial=0))
    return "CT" if lowest <= _AIR_HU and dark >= _AIR_SHARE * values.size else "MR"


def _sample(values: Values) -> Values:
    """The finite voxels of a canonical array, thinned in-plane if they are very many; 1-D."""
    step = int(np.ceil(np.sqrt(max(1.0, values.size / _ENOUGH_VOXELS))))
    sample = values[:, ::step, ::step].ravel()
    sample = sample.astype(np.result_type(sample.dtype, np.float32), copy=False)
    return sample[np.isfinite(sample)]


def _body_range(sample: Values, low: float, high: float) -> tuple[float, float]:
    """The `low` percentile of all voxels and the `high` percentile of those in the body.

    Air may fill a tenth of a scan or nine tenths of it. A percentile of all voxels would make the same
    patient darker or brighter with the field of view, so the high one is taken among the voxels that
    are clearly brighter than air.
    """
    if sample.size == 0:
        return 0.0, 0.0
    dark, bright = (float(value) for value in np.percentile(sample, (low, high)))
    body = sample[sample > dark + _BODY_LEVEL * (bright - dark)]
    return dark, float(np.percentile(body, high)) if body.size else dark
