"""All scores of one volume: the headline protocol, on the scan's own grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rma_mamba.metrics.overlap import AnyMask, EmptyCase, overlap
from rma_mamba.metrics.surface_distance import surface_distances
from rma_mamba.shapes import Spacing


@dataclass(frozen=True)
class VolumeScore:
    """How far a prediction agrees with the reference of one volume.

    Both empty: overlaps and surface Dice 1, distances and errors 0. One empty: overlaps 0; distances and
    surface Dice are NaN, not defined; so is the error in % if the reference is the empty one.

    Args:
        dice, iou, recall, precision, f2: Shares of voxels, 0 to 1.
        hd_mm: Hausdorff distance.
        hd95_mm: The larger of the two directed 95th percentiles.
        assd_mm: Average symmetric surface distance.
        nsd_2mm: Normalised surface Dice at 2 mm, 0 to 1.
        volume_error_ml: Found minus true volume.
        volume_error_percent: The same, of the true volume.
        reference_ml: True volume.
        found_ml: Volume of the prediction.
        empty: Which of the two masks are empty.
    """

    dice: float
    iou: float
    recall: float
    precision: float
    f2: float
    hd_mm: float
    hd95_mm: float
    assd_mm: float
    nsd_2mm: float
    volume_error_ml: float
    volume_error_percent: float
    reference_ml: float
    found_ml: float
    empty: EmptyCase


def score_volume(
    reference: AnyMask,
    prediction: AnyMask,
    spacing_mm: Spacing,
    *,
    voxel_volume_ml: float | None = None,
) -> VolumeScore:
    """Score a prediction (labels > 0) against a reference on one grid.

    Args:
        reference, prediction: Masks [i, j, k].
        spacing_mm: Voxel size along i, j, k.
        voxel_volume_ml: None: the product of the spacing; a sheared grid has less.

    Raises:
        GridError: The shapes differ, or the spacing is not positive.
    """
    distances = surface_distances(reference, prediction, spacing_mm)
    shared = overlap(reference, prediction)
    voxel_ml = math.prod(spacing_mm) / 1000 if voxel_volume_ml is None else voxel_volume_ml
    error = shared.prediction - shared.reference
    undefined = math.nan if error else 0.0  # in percent of nothing
    return VolumeScore(
        dice=shared.dice,
        iou=shared.iou,
        recall=shared.recall,
        precision=shared.precision,
        f2=shared.f2,
        hd_mm=distances.hd_mm,
        hd95_mm=distances.hd95_mm,
        assd_mm=distances.assd_mm,
        nsd_2mm=distances.surface_dice(2.0),
        volume_error_ml=error * voxel_ml,
        volume_error_percent=100 * error / shared.reference if shared.reference else undefined,
        reference_ml=shared.reference * voxel_ml,
        found_ml=shared.prediction * voxel_ml,
        empty=shared.empty,
    )
