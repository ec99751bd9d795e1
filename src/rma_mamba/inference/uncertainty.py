"""How sure a segmentation is: do several looks at the scan agree, do the network's own maps?

No mask of a person is needed. Everything is summed up while the scan is segmented, a few slices at a time.
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

from rma_mamba.shapes import Labels

Probabilities = npt.NDArray[np.float32]

_CALIBRATION = "dice_calibration.json"
_AT_A_TIME = 2**20  # voxels: maps of large scans fill the memory as it is
_MOST_SURE = 0.995  # agreements beyond it say the same


class Agreement:
    """Overlaps between looks and between maps, summed up over the slices of one scan.

    Args:
        looks: Number of looks at each slice.
        threshold: Probability above which a pixel is liver.
    """

    def __init__(self, looks: int, threshold: float) -> None:
        self._threshold = threshold
        self._pairs = list(itertools.combinations(range(looks), 2))
        self._between_looks = np.zeros((len(self._pairs), 2))  # shared, both
        self._with_coarser = np.zeros(2)
        self._expected = np.zeros(2)
        self._has_coarser = False

    def add(self, looks: Sequence[Probabilities], mean: Probabilities) -> None:
        """Add slices.

        Args:
            looks: Each look's probabilities on the scan's pixels, [slice, row, column], of the same slices; the
                first alone, or no slice, where no other look was taken: nothing was found there.
            mean: Of all slices.
        """
        inside = mean > self._threshold
        sure = float(mean[inside].sum(dtype=np.float64))
        self._expected += sure, np.count_nonzero(inside) + float(mean.sum(dtype=np.float64))
        if len(looks) == 1:
            return
        found = [look > self._threshold for look in looks]
        for sums, (one, other) in zip(self._between_looks, self._pairs, strict=True):
            sums += _overlap(found[one], found[other])

    def add_maps(self, finest: npt.NDArray[Any], coarser: npt.NDArray[Any]) -> None:
        """Add logits of one look on the canvas: the finest map and a coarser one, of any equal shape."""
        limit = math.log(self._threshold / (1 - self._threshold))
        self._with_coarser += _overlap(finest > limit, coarser > limit)
        self._has_coarser = True

    @property
    def found(self) -> dict[str, float]:
        """Each between 0 and 1; nothing found anywhere is agreement (1).

        expected: Dice to be expected if the probabilities were right.
        looks: Mean Dice between two looks; missing if there is only one.
        maps: Dice between the finest map and one of an eighth of the resolution; missing if there is none.
        """
        agreements = {"expected": _dice(self._expected)}
        if self._pairs:
            agreements["looks"] = float(np.mean([_dice(sums) for sums in self._between_looks]))
        if self._has_coarser:
            agreements["maps"] = _dice(self._with_coarser)
        return agreements


@dataclass(frozen=True)
class Uncertainty:
    """How sure a mask is.

    Args:
        agreements: What `Agreement.found` says, and `kept`: the share of found voxels that are not islands.
        predicted_dice: Dice that masks with such agreements had on validation data; None where nothing was
            found, after a single look, or where the weights are not those that this was fitted for.
    """

    agreements: Mapping[str, float] = field(default_factory=dict)
    predicted_dice: float | None = None


def judge(
    agreements: Mapping[str, float], before: int, after: int, weights_sha256: str | None
) -> Uncertainty:
    """Agreements with the share of voxels kept, and the Dice that they predict.

    Args:
        agreements: As found.
        before: Voxels found.
        after: Voxels left when islands were removed.
        weights_sha256: Of the network's weights.
    """
    found = {**agreements, "kept": after / before if before else 1.0}
    known = weights_sha256 == calibration()["weights_sha256"] and "looks" in found
    return Uncertainty(found, predict_dice(found) if known and after else None)


def predict_dice(agreements: Mapping[str, float]) -> float:
    """The Dice that masks with such agreements had: it never falls when an agreement rises.

    A logistic line with slopes of at least zero, fitted by `scripts/fit_dice_prediction.py` to several looks.
    """
    line = calibration()["line"]
    height = line["intercept"] + sum(
        slope * logit(agreements[name]) for name, slope in line["slopes"].items()
    )
    return 1 / (1 + math.exp(-height))


def logit(agreement: float) -> float:
    """log(p / (1 - p)), with p kept away from 0 and 1."""
    p = min(max(agreement, 1 - _MOST_SURE), _MOST_SURE)
    return math.log(p / (1 - p))


def entropy_bits(probabilities: npt.NDArray[Any], *, in_place: bool = False) -> Probabilities:
    """Of each voxel: 0 where the looks together are sure, 1 where liver is as likely as not.

    Args:
        probabilities: Of any shape.
        in_place: Whether they are overwritten: they must be float32 in one piece of memory.
    """
    bits = probabilities if in_place else np.empty_like(probabilities, np.float32)
    given, found = probabilities.ravel(order="K"), bits.ravel(order="K")  # `found` is a view
    for start in range(0, given.size, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        p = np.clip(given[part].astype(np.float32), 1e-6, 1 - 1e-6)
        found[part] = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return bits


@cache
def calibration() -> dict[str, Any]:
    """The fitted numbers, and where they come from."""
    text = (files("rma_mamba.inference") / _CALIBRATION).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def _overlap(one: Labels | npt.NDArray[Any], other: npt.NDArray[Any]) -> tuple[int, int]:
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return int(np.count_nonzero(one & other)), both


def _dice(sums: npt.NDArray[np.float64]) -> float:
    shared, both = sums.tolist()
    return 2 * shared / both if both else 1.0
