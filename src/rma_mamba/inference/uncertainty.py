"""Uncertainty of a segmentation, from the agreement between TTA scales and between the network's output maps.

No reference mask is needed. Overlaps are accumulated while the scan is segmented, a few slices at a time.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.deprecation import warn_renamed
from rma_mamba.shapes import Labels

Probabilities = npt.NDArray[np.float32]

_CALIBRATION = "dice_calibration.json"
_AT_A_TIME = 2**20  # voxels; probabilities of a large scan already fill most of the memory
_MAX_AGREEMENT = 0.995  # higher agreement carries no more information


class Agreement:
    """Overlaps between TTA scales and between maps, accumulated over the slices of one scan.

    Args:
        scales: Number of TTA scales.
        threshold: Probability above which a pixel is liver.
    """

    def __init__(self, scales: int, threshold: float) -> None:
        self._threshold = threshold
        self._pairs = list(itertools.combinations(range(scales), 2))
        self._between_scales = np.zeros((len(self._pairs), 2))  # intersection, sum of both
        self._with_coarser = np.zeros(2)
        self._expected = np.zeros(2)
        self._has_coarser = False

    def add(self, scales: Sequence[Probabilities], mean: Probabilities) -> None:
        """Add slices.

        Args:
            scales: Probabilities at each scale on the scan's pixels, [slice, row, column], of the slices that were
                segmented at all scales; the first scale alone if none were.
            mean: Mean over the scales, of all slices.
        """
        inside = mean > self._threshold
        mass = float(mean[inside].sum(dtype=np.float64))
        self._expected += mass, np.count_nonzero(inside) + float(mean.sum(dtype=np.float64))
        if len(scales) == 1:
            return
        masks = [scale > self._threshold for scale in scales]
        for sums, (one, other) in zip(self._between_scales, self._pairs, strict=True):
            sums += _overlap(masks[one], masks[other])

    def add_maps(self, finest: npt.NDArray[Any], coarser: npt.NDArray[Any]) -> None:
        """Add logits of the first scale on the canvas: the map of the highest resolution and a coarser one."""
        cutoff = math.log(self._threshold / (1 - self._threshold))
        self._with_coarser += _overlap(finest > cutoff, coarser > cutoff)
        self._has_coarser = True

    @property
    def shares(self) -> dict[str, float]:
        """Each between 0 and 1; 1 (agreement) if no liver was found anywhere.

        expected: Expected Dice if the probabilities are calibrated.
        tta: Mean Dice between pairs of TTA scales; missing if there is only one.
        maps: Dice between the map of the highest resolution and one at an eighth of it; missing if there is none.
        """
        shares = {"expected": _dice(self._expected)}
        if self._pairs:
            shares["tta"] = float(np.mean([_dice(sums) for sums in self._between_scales]))
        if self._has_coarser:
            shares["maps"] = _dice(self._with_coarser)
        return shares


@dataclass(frozen=True)
class Uncertainty:
    """How certain a mask is.

    Args:
        agreements: `Agreement.shares`, and `kept`: the share of liver voxels left after small components were removed.
        estimated_dice: Dice of validation masks with similar agreements; None if no liver was found, without
            multi-scale TTA, or for weights for which the estimate was not fitted.
    """

    agreements: Mapping[str, float] = field(default_factory=dict)
    estimated_dice: float | None = None

    @property
    def predicted_dice(self) -> float | None:
        """Deprecated name of `estimated_dice`."""
        warn_renamed("Uncertainty.predicted_dice", "Uncertainty.estimated_dice")
        return self.estimated_dice


def estimate_uncertainty(
    shares: Mapping[str, float],
    before: int,
    after: int,
    weights_sha256: str | None,
    evidence_factor: float = 1.0,
) -> Uncertainty:
    """Agreements of a mask, and the Dice estimated from them.

    Args:
        shares: `Agreement.shares`.
        before: Liver voxels before small components were removed.
        after: Liver voxels afterwards.
        weights_sha256: SHA-256 of the network's weights.
        evidence_factor: `MaskEvidence.dice_factor`.
    """
    agreements = {**shares, "kept": after / before if before else 1.0}
    fitted = weights_sha256 == calibration()["weights_sha256"] and "tta" in agreements
    known = fitted and after > 0
    return Uncertainty(agreements, estimate_dice(agreements) * evidence_factor if known else None)


def estimate_dice(agreements: Mapping[str, float]) -> float:
    """The estimated Dice of a mask with these agreements; it never decreases when an agreement increases.

    A logistic regression with non-negative slopes, fitted by `scripts/fit_dice_prediction.py` to masks with TTA.
    """
    line = calibration()["line"]
    height = line["intercept"] + sum(
        slope * logit(agreements[name]) for name, slope in line["slopes"].items()
    )
    return 1 / (1 + math.exp(-height))


def logit(agreement: float) -> float:
    """log(p / (1 - p)), with p kept away from 0 and 1."""
    p = min(max(agreement, 1 - _MAX_AGREEMENT), _MAX_AGREEMENT)
    return math.log(p / (1 - p))


def entropy_bits(probabilities: npt.NDArray[Any], *, in_place: bool = False) -> Probabilities:
    """Voxel-wise entropy in bits: 0 where the mean probability is 0 or 1, 1 where it is 0.5.

    Args:
        probabilities: Any shape.
        in_place: Overwrite them; they must be contiguous float32.
    """
    bits = probabilities if in_place else np.empty_like(probabilities, np.float32)
    source, target = probabilities.ravel(order="K"), bits.ravel(order="K")  # `target` is a view
    for start in range(0, source.size, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        p = np.clip(source[part].astype(np.float32), 1e-6, 1 - 1e-6)
        target[part] = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return bits


@cache
def calibration() -> dict[str, Any]:
    """The fitted coefficients and their provenance."""
    text = (files("rma_mamba.inference") / _CALIBRATION).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def _overlap(one: Labels | npt.NDArray[Any], other: npt.NDArray[Any]) -> tuple[int, int]:
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return int(np.count_nonzero(one & other)), both


def _dice(sums: npt.NDArray[np.float64]) -> float:
    shared, both = sums.tolist()
    return 2 * shared / both if both else 1.0
