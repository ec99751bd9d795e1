"""All metrics of one volume, on the scan's own grid: the primary evaluation protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rma_mamba.metrics.overlap import AnyMask, EmptyCase, overlap
from rma_mamba.metrics.surface_distance import surface_distances
from rma_mamba.shapes import Spacing


@dataclass(frozen=True)
class VolumeScore:
    """Agreement of a prediction with the reference of one volume.

    If both masks are empty, overlap metrics and surface Dice are 1, distances and volume errors 0. If one is
    empty, overlap metrics are 0, and distances and surface Dice are undefined (NaN); the relative volume error
    is undefined if the reference is empty.

    Args:
        dice, iou, recall, precision, f2: Voxel overlap, 0 to 1.
        hd_mm: Hausdorff distance in mm.
        hd95_mm: The larger of the two directed 95th-percentile distances, in mm.
        assd_mm: Average symmetric surface distance in mm.
        nsd_2mm: Normalised surface Dice at a tolerance of 2 mm, 0 to 1.
        volume_error_ml: Predicted minus reference volume, in mL.
        volume_error_percent: The same, in percent of the reference volume.
        reference_ml: Volume of the reference, in mL.
        found_ml: Volume of the prediction, in mL.
        empty: Which of the two masks is empty.
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
    """Compute all metrics of a prediction against a reference on the same grid (foreground > 0).

    Args:
        reference, prediction: Masks [i, j, k].
        spacing_mm: Voxel size along i, j, k.
        voxel_volume_ml: Volume of a voxel, in mL; None: the product of the spacing. Pass it for sheared
            grids (gantry tilt), whose voxels are smaller than that.

    Raises:
        GridError: The shapes differ, or the spacing is not positive.
    """
    distances = surface_distances(reference, prediction, spacing_mm)
    counts = overlap(reference, prediction)
    voxel_ml = math.prod(spacing_mm) / 1000 if voxel_volume_ml is None else voxel_volume_ml
    error = counts.prediction - counts.reference
    undefined = math.nan if error else 0.0  # relative to an empty reference
    return VolumeScore(
        dice=counts.dice,
        iou=counts.iou,
        recall=counts.recall,
        precision=counts.precision,
        f2=counts.f2,
        hd_mm=distances.hd_mm,
        hd95_mm=distances.hd95_mm,
        assd_mm=distances.assd_mm,
        nsd_2mm=distances.surface_dice(2.0),
        volume_error_ml=error * voxel_ml,
        volume_error_percent=100 * error / counts.reference if counts.reference else undefined,
        reference_ml=counts.reference * voxel_ml,
        found_ml=counts.prediction * voxel_ml,
        empty=counts.empty,
    )
