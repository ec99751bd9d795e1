"""Scores of each class of a case: overlap and distances as for the liver, and detection of single lesions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import LIVER
from rma_mamba.metrics import VolumeScore, score_volume
from rma_mamba.metrics.lesions import LesionScore, score_lesions
from rma_mamba.volume import Geometry

Classes = Mapping[str, npt.NDArray[Any]]  # masks (foreground > 0) by name of the class


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class of one case, on the scan's own grid.

    Args:
        name: Name of the class.
        score: As for the liver; of a single slice, distances and volumes are those of a slice of 1 mm.
        lesions: Detection of connected components; None for the class `liver`, which is one organ.
    """

    name: str
    score: VolumeScore
    lesions: LesionScore | None = None


def score_classes(
    reference: Classes, prediction: Classes, geometry: Geometry
) -> tuple[ClassScore, ...]:
    """Score the classes that both a reference and a prediction have; a region includes those inside it.

    Args:
        reference, prediction: Masks [i, j, k] on the same grid, by name of the class.
        geometry: The grid.

    Raises:
        GridError: The shapes differ.
    """
    voxel_ml = geometry.voxel_volume_ml
    found = []
    for name, true in reference.items():
        if name not in prediction:
            continue
        other = prediction[name]
        score = score_volume(true, other, geometry.spacing_mm, voxel_volume_ml=voxel_ml)
        lesions = None if name.lower() == LIVER else score_lesions(true, other, voxel_ml)
        found.append(ClassScore(name, score, lesions))
    return tuple(found)


def empty_like(classes: Classes) -> Classes:
    """The same classes without a voxel: a prediction that is missing."""
    return {name: np.zeros(each.shape, bool) for name, each in classes.items()}
