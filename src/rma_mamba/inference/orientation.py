"""Check the header against the anatomy: flipped axes, implausible slice spacing, no liver in the field of view.

The check runs a very small network on thumbnails of a few axial slices and does not use the mask. The network was
trained on patients with the liver on the right, the spine posterior and the lungs superior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.inference.orientation_network import SlicePredictions, orientation_network
from rma_mamba.inference.thumbnails import thumbnails
from rma_mamba.reporting.quality import AnatomyCheck, FlippedAxis
from rma_mamba.slicing import SliceStack

Numbers = npt.NDArray[np.floating[Any]]

MIN_SLICES = 5  # fewer slices show too little of the body
_LIVER_SLICES = 3  # number of slices most likely to contain liver, over which log-odds are averaged


@dataclass(frozen=True)
class OrientationThresholds:
    """Thresholds, chosen on validation patients; docs/explanation/quality.md reports their sensitivity.

    Args:
        direction: A left/right or anterior/posterior flip is reported if the mean log-odds of the direction in the
            header are below minus this value.
        order: A superior/inferior flip is reported if the correlation of predicted heights with those in the header
            is below minus this value.
        linear: The slice spacing is estimated if the absolute correlation is above this value ...
        covered_mm: ... and the slices cover more than this length of the body.
        liver: No slice is considered to contain liver if the mean log-odds are below this value.
    """

    direction: float = 1.0
    order: float = 0.6
    linear: float = 0.95
    covered_mm: float = 150.0
    liver: float = -1.5


THRESHOLDS = OrientationThresholds()


@dataclass(frozen=True)
class Pose:
    """Orientation and scale of the body in a scan, estimated from several slices together.

    Args:
        right: Mean log-odds that left and right are as in the header.
        anterior: The same for anterior and posterior.
        spacing_ratio: Predicted height difference divided by that in the header, inferior to superior: about 1 if the
            header is correct, negative if superior and inferior are flipped.
        correlation: Correlation of predicted heights with those in the header, -1 to 1; near 0 if heights cannot be
            predicted.
        covered_mm: Body length between the lowest and the highest slice.
        liver: Mean log-odds of liver in the slices most likely to contain it.
        slices: Number of slices used.
    """

    right: float = 0.0
    anterior: float = 0.0
    spacing_ratio: float = 0.0
    correlation: float = 0.0
    covered_mm: float = 0.0
    liver: float = 0.0
    slices: int = 0


def check_anatomy(
    stack: SliceStack, thresholds: OrientationThresholds = THRESHOLDS
) -> AnatomyCheck:
    """Compare the anatomy with the header; nothing is reported if too little of the body is visible.

    Args:
        stack: The scan's slices.
        thresholds: Limits beyond which a problem is reported.
    """
    pose = estimate_pose(stack)
    linear = abs(pose.correlation) > thresholds.linear and pose.covered_mm > thresholds.covered_mm
    ratio = abs(pose.spacing_ratio) if linear else None
    return AnatomyCheck(flipped_axes(pose, thresholds), ratio, pose.liver < thresholds.liver)


def estimate_pose(stack: SliceStack) -> Pose:
    """Estimate the orientation and scale of the body in a scan.

    Args:
        stack: The scan's slices.
    """
    images, slice_numbers = thumbnails(stack)
    if len(slice_numbers) < MIN_SLICES:
        return Pose(slices=len(slice_numbers))
    geometry = stack.volume.geometry
    spacing_mm = geometry.spacing_mm[geometry.canonical.permutation[0]]
    return combine(orientation_network().predict(images), slice_numbers * spacing_mm)


def combine(predictions: SlicePredictions, height_mm: Numbers) -> Pose:
    """The pose from the predictions for several slices.

    Args:
        predictions: One per slice.
        height_mm: Height of each slice according to the header.
    """
    right, anterior, height_dm, liver = (
        each.astype(np.float64)
        for each in (
            predictions.right,
            predictions.anterior,
            predictions.height_dm,
            predictions.liver,
        )
    )
    ratio, correlation = _fit_line(height_mm, height_dm * 100)
    most_likely = float(np.sort(liver)[-_LIVER_SLICES:].mean())
    covered_mm = abs(ratio) * float(np.ptp(height_mm))
    return Pose(
        float(right.mean()),
        float(anterior.mean()),
        ratio,
        correlation,
        covered_mm,
        most_likely,
        len(liver),
    )


def flipped_axes(
    pose: Pose, thresholds: OrientationThresholds = THRESHOLDS
) -> tuple[FlippedAxis, ...]:
    """The directions that the header of a scan seems to flip; none if too little of the body is visible.

    A patient with situs inversus looks like a scan whose header flips left and right.
    """
    flipped: dict[FlippedAxis, bool] = {
        "left/right": pose.right < -thresholds.direction,
        "anterior/posterior": pose.anterior < -thresholds.direction,
        "superior/inferior": pose.correlation < -thresholds.order,
    }
    return tuple(axis for axis, is_flipped in flipped.items() if is_flipped)


def _fit_line(x: Numbers, y: Numbers) -> tuple[float, float]:
    """Slope of y over x, and their correlation; both 0 if x or y is constant."""
    x, y = x - x.mean(), y - y.mean()
    spread = float((x * x).sum() * (y * y).sum())
    if spread <= 0:
        return 0.0, 0.0
    both = float((x * y).sum())
    return both / float((x * x).sum()), both / spread**0.5
