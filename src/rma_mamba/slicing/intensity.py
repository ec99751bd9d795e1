"""Grey values to [0, 1]: a HU window for CT, robust percentiles for MR; found once per volume.

Only order statistics and counts are used, never a mean: they do not depend, not even in the last bit,
on the order in which a file happens to store its axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.volume import Modality, Volume

Values = npt.NDArray[Any]

_AIR_HU = -900  # the lung and the air around a patient lie under it, and so do all padding values
_DARK_HU = -200  # darker than fat: air, lung, bowel gas
_AIR_SHARE = 0.005  # bowel gas and the rim of a tight crop; noise and ringing in MR never reach it
_SOFT_HU = (-150, 250)  # fat to enhanced organs
_SOFT_SHARE = 0.6  # of all that is not dark; MR that was shifted or stretched spreads further
_GAP_HU = (-600, -200)  # between lung and fat: in CT only where the two share a voxel
_GAP_SHARE = 0.2  # of all that is not dark; in MR the body fills every range of grey values
_BONE_SHARE = 0.001  # of all that is not dark, brighter than any enhanced organ
LOST_INTERCEPT = 1024  # of CT whose rescale intercept was dropped
_BODY_LEVEL = 0.1  # of the bright end of the scan; the noise of air around a patient stays below it
_ENOUGH_VOXELS = (
    2**24
)  # percentiles of more voxels than this are taken from every n-th row and column


@dataclass(frozen=True)
class IntensityScale:
    """Grey values that become 0 and 1; equal ones (a constant volume) make everything 0."""

    low: float
    high: float

    @property
    def range(self) -> tuple[float, float]:
        """Both."""
        return self.low, self.high

    @classmethod
    def of_volume(cls, volume: Volume, recipe: SliceRecipe) -> IntensityScale:
        """The scale of a scan: its modality is the file's own, else told from the values."""
        values = volume.geometry.canonical.apply(volume.values)
        if (volume.modality or detect_modality(values)) == "CT":
            return cls(*recipe.ct_window_hu)
        return cls(*_body_range(_sample(values), *recipe.mr_percentiles))

    # Values near the largest float32, which are no grey values, overflow and become 0.
    @np.errstate(over="ignore", invalid="ignore")
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

    Hounsfield units reach down to air (-1000) or to a padding value below it, a share of the voxels is
    darker than fat, few lie between lung and fat, and most of the others between fat and contrast agent.
    A CT that was windowed to 0..255 counts as MR: percentiles are what it needs.

    Args:
        values: A whole scan in any axis order and real type.
    """
    return "CT" if _looks_like_hu(values, 0) else "MR"


def has_lost_its_intercept(values: Values) -> bool:
    """Whether these are Hounsfield units plus 1024, as CT is stored; to be asked of what is not CT already."""
    return _looks_like_hu(values, LOST_INTERCEPT)


def with_intercept(volume: Volume) -> Volume:
    """CT that has lost its intercept, in Hounsfield units again."""
    values = volume.values.astype(np.result_type(volume.values, np.int16)) - LOST_INTERCEPT
    return replace(volume, values=values, modality="CT")


def _looks_like_hu(values: Values, shift: int) -> bool:
    if values.dtype.kind == "b" or values.size == 0 or (values.dtype.kind == "u" and not shift):
        return False
    if values.dtype.itemsize == 1:
        return False
    dark = gap = soft = bone = bright = 0
    lowest = np.inf
    slowest = int(np.argmax(np.abs(values.strides)))
    for part in np.moveaxis(values, slowest, 0):  # part by part: no second scan in memory
        finite = part[np.isfinite(part)]
        low = int(np.count_nonzero(finite < _DARK_HU + shift))
        dark, bright = dark + low, bright + finite.size - low
        gap += low - int(np.count_nonzero(finite < _GAP_HU[0] + shift))
        above = int(np.count_nonzero(finite > _SOFT_HU[1] + shift))
        bone += above
        soft += int(np.count_nonzero(finite >= _SOFT_HU[0] + shift)) - above
        lowest = min(lowest, finite.min() if finite.size else np.inf)
    air = lowest <= _AIR_HU + shift and dark >= _AIR_SHARE * values.size
    body = soft > 0 and soft >= _SOFT_SHARE * bright and gap <= _GAP_SHARE * bright
    # before values are changed, bone has to be there too
    return bool(air and body and (not shift or bone >= _BONE_SHARE * bright))


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
