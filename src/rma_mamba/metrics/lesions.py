"""Lesion-wise scores: which lesions of a reference a prediction finds, and how many it invents.

A lesion is a connected component, with diagonal neighbours. Its counterpart is all predicted components that touch it.
It is detected if their intersection over union is at least 0.1, the default of the evaluation of the PI-CAI challenge
(`min_overlap=0.10` of picai_eval, github.com/DIAGNijmegen/picai_eval): a lesion is found even if its outline is not
right, which the Dice of the lesion scores. picai_eval matches one predicted component to each lesion; here they count
together, so that a lesion that is found in two parts is found. A predicted component that touches no detected lesion is
a false positive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.metrics.overlap import AnyMask, as_bits

DETECTED_IOU = 0.1
SIZES_MM = (10.0, 20.0)  # limits of the size groups; lesions from 10 mm are measurable (RECIST 1.1)
SIZE_GROUPS = ("below 10 mm", "10 to 20 mm", "above 20 mm")


@dataclass(frozen=True)
class Lesion:
    """One lesion of the reference.

    Args:
        volume_ml: Its volume in mL.
        diameter_mm: Diameter of a sphere of that volume, in mm.
        dice: Dice with its counterpart; 0 if nothing touches it.
        detected: Whether it is detected.
    """

    volume_ml: float
    diameter_mm: float
    dice: float
    detected: bool

    @property
    def size_group(self) -> str:
        """The size group by diameter, one of `SIZE_GROUPS`."""
        return SIZE_GROUPS[int(np.searchsorted(SIZES_MM, self.diameter_mm, side="right"))]


@dataclass(frozen=True)
class LesionScore:
    """Lesions of one scan.

    Args:
        lesions: Those of the reference, in no particular order.
        predicted: Number of predicted components.
        false_positives: Number of predicted components that touch no detected lesion.
    """

    lesions: tuple[Lesion, ...]
    predicted: int
    false_positives: int

    @property
    def sensitivity(self) -> float:
        """Fraction of the lesions that are detected; NaN without lesions."""
        return (
            float(np.mean([each.detected for each in self.lesions])) if self.lesions else math.nan
        )


def score_lesions(reference: AnyMask, prediction: AnyMask, voxel_volume_ml: float) -> LesionScore:
    """Match the lesions of a prediction to those of the reference (foreground > 0), on the same grid.

    Args:
        reference, prediction: Masks [i, j, k].
        voxel_volume_ml: Volume of a voxel, in mL.

    Raises:
        GridError: The shapes differ.
    """
    true, found = as_bits(reference, prediction)
    true_numbers, lesions = _components(true)
    found_numbers, predicted = _components(found)
    shared = np.zeros((lesions + 1, predicted + 1), np.int64)
    both = true & found
    np.add.at(shared, (true_numbers[both], found_numbers[both]), 1)
    true_sizes = np.bincount(true_numbers[true], minlength=lesions + 1)
    found_sizes = np.bincount(found_numbers[found], minlength=predicted + 1)
    scores, confirmed = [], np.zeros(predicted + 1, bool)
    for number in range(1, lesions + 1):
        touching = shared[number] > 0
        inside, size = int(shared[number].sum()), int(true_sizes[number])
        counterpart = int(found_sizes[touching].sum())
        detected = inside > 0 and inside / (size + counterpart - inside) >= DETECTED_IOU
        confirmed |= touching & detected
        volume_ml = size * voxel_volume_ml
        diameter_mm = 2 * (3000 * volume_ml / (4 * math.pi)) ** (1 / 3)
        scores.append(Lesion(volume_ml, diameter_mm, 2 * inside / (size + counterpart), detected))
    return LesionScore(tuple(scores), predicted, predicted - int(confirmed[1:].sum()))


def _components(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[Any], int]:
    numbers, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim, bool))
    return numbers, int(count)
