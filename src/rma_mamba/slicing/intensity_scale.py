"""Scaling of intensities to [0, 1]: a HU window for CT, robust percentiles for MR; determined once per volume.

Only order statistics and counts are used, never a mean, so that the scale is bit-identical for every axis order in
which a file can be stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.slicing.calibration import CalibratedVolume
from rma_mamba.slicing.recipe import SliceRecipe

Values = npt.NDArray[Any]

_BODY_LEVEL = (
    0.1  # fraction of the intensity range; noise in the air around the patient stays below
)
_KNEE = 0.5  # of [0, 1]: intensities above are compressed to make headroom
_GREY_LEVELS = (0, 255)
_MAX_SAMPLE = 2**24  # voxels; percentiles of larger scans use every n-th row and column


@dataclass(frozen=True)
class IntensityScale:
    """Intensities that become 0 and 1. If they are equal (a constant volume), all values become 0.

    Args:
        low: Intensity that becomes 0.
        high: Intensity that becomes 1 without headroom.
        headroom: Range above `high` that is kept, as a fraction of the range below it: the upper half of the scale is
            compressed, and the intensity at the end of the headroom becomes 1.
    """

    low: float
    high: float
    headroom: float = 0.0

    @property
    def range(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    @classmethod
    def of_volume(cls, volume: CalibratedVolume, recipe: SliceRecipe) -> IntensityScale:
        """The scale of a calibrated scan: the recipe's HU window for CT, its percentiles for MR; of an 8-bit image, the
        stored grey levels if the recipe states "stored"."""
        if recipe.grey_levels == "stored" and _is_eight_bit(volume):
            return cls(*_GREY_LEVELS, recipe.mr_headroom)
        hounsfield = (
            volume.intensity_unit == "HU" if recipe.modality_plane else volume.modality == "CT"
        )
        if hounsfield:
            return cls(*recipe.ct_window_hu)
        values = volume.geometry.canonical.apply(volume.values)
        return cls(*_body_range(_sample(values), *recipe.mr_percentiles), recipe.mr_headroom)

    # Values near the largest float32, which are not real intensities, overflow and become 0.
    @np.errstate(over="ignore", invalid="ignore")
    def apply(self, values: Values) -> npt.NDArray[np.float32]:
        """Values of any shape and real type to float32 in [0, 1]; NaN becomes 0."""
        if not self.high > self.low:
            return np.zeros(values.shape, np.float32)
        # 8-bit and 16-bit scans are scaled in float32, all others in float64
        scaled = values.astype(np.result_type(values.dtype, np.float32))
        span = self.high - self.low
        np.clip(scaled, self.low, self.high + self.headroom * span, out=scaled)
        scaled -= self.low
        scaled /= span
        np.nan_to_num(scaled, copy=False, nan=0.0)
        if self.headroom:
            scaled = compress_highlights(scaled, self.headroom)
        unit: npt.NDArray[np.float32] = np.clip(scaled, 0, 1).astype(np.float32, copy=False)
        return unit


def compress_highlights(scaled: Any, headroom: float) -> Any:
    """Map [0, 1 + headroom] to [0, 1]: the lower half of [0, 1] is unchanged, everything above is compressed linearly.

    Args:
        scaled: A NumPy array or a tensor.
        headroom: As in `IntensityScale`.
    """
    above = (scaled - _KNEE).clip(min=0)
    return scaled - above * (headroom / (1 + headroom - _KNEE))


def _is_eight_bit(volume: CalibratedVolume) -> bool:
    return volume.values.dtype == np.uint8 and volume.intensity_unit != "HU"


def _sample(values: Values) -> Values:
    """The finite voxels of a canonical array as 1-D array, subsampled in-plane if there are very many."""
    step = int(np.ceil(np.sqrt(max(1.0, values.size / _MAX_SAMPLE))))
    sample = values[:, ::step, ::step].ravel()
    sample = sample.astype(np.result_type(sample.dtype, np.float32), copy=False)
    return sample[np.isfinite(sample)]


def _body_range(sample: Values, low: float, high: float) -> tuple[float, float]:
    """The `low` percentile of all voxels and the `high` percentile of those in the body.

    Air may fill a tenth of a scan or nine tenths of it. With a percentile of all voxels, the brightness of a
    patient would depend on the field of view. The high percentile is therefore that of the voxels that are
    clearly brighter than air.
    """
    if sample.size == 0:
        return 0.0, 0.0
    dark, bright = (float(value) for value in np.percentile(sample, (low, high)))
    body = sample[sample > dark + _BODY_LEVEL * (bright - dark)]
    return dark, float(np.percentile(body, high)) if body.size else dark
