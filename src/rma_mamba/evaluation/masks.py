"""Reading of liver masks written by any tool, as binary masks in canonical axis order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.conventions import GRID_TOLERANCE_MM, IMAGE_SUFFIXES
from rma_mamba.errors import GridError, ScanError
from rma_mamba.labels import check_whole, liver_in, liver_in_grey_levels
from rma_mamba.metrics.overlap import Bits
from rma_mamba.scans import read_scan
from rma_mamba.scans.checks import CONSTANT
from rma_mamba.scans.dtypes import NOT_FINITE
from rma_mamba.volume import Geometry, grid_description


@dataclass(frozen=True, eq=False)
class LiverMask:
    """A liver mask in canonical axis order.

    Args:
        bits: True where the liver is.
        geometry: Grid of the mask, in canonical axis order.
        has_other_labels: Whether the file contains labels, but none of them is liver.
        warnings: Problems found while reading the file, one sentence each.
    """

    bits: Bits
    geometry: Geometry
    has_other_labels: bool
    warnings: tuple[str, ...] = ()


def read_liver_mask(path: Path, labels: Sequence[int] = ()) -> LiverMask:
    """Read a mask file and select the liver.

    Args:
        path: Any file that `read_scan` reads, containing label values: whole numbers of any dtype.
        labels: Label values of the liver; none: every value above 0, in PNG and JPEG files every level above
            63. In a file that contains only 0 and 255, 255 is the liver (see `rma_mamba.labels`).

    Raises:
        ScanError: The file cannot be read, or its values are not labels.
        GridError: The geometry in the header is invalid.
    """
    volume = read_scan(path)
    if any(NOT_FINITE in warning for warning in volume.warnings):
        raise ScanError(
            "a mask contains voxels that are not finite numbers; expected label values. "
            "Replace them with 0, or export the mask again."
        )
    if path.suffix.lower() in IMAGE_SUFFIXES and volume.values.dtype == np.uint8 and not labels:
        bits = liver_in_grey_levels(volume.values).astype(bool)
    else:
        bits = liver_in(volume.values, labels).astype(bool)
    order = volume.geometry.canonical
    has_other_labels = not bits.any() and bool((volume.values > 0).any())
    warnings = tuple(each for each in volume.warnings if each != CONSTANT)  # normal for a mask
    return LiverMask(
        order.apply(bits), volume.geometry.in_canonical_order, has_other_labels, warnings
    )


def read_class_masks(path: Path, classes: Mapping[str, Sequence[int]]) -> dict[str, Bits]:
    """Where a mask file has each class, in canonical axis order.

    Args:
        path: As in `read_liver_mask`.
        classes: Label values of each class.

    Raises:
        ScanError: The file cannot be read, or its values are not labels.
    """
    volume = read_scan(path)
    check_whole(volume.values)
    values = volume.geometry.canonical.apply(np.rint(volume.values))
    return {name: np.isin(values, list(wanted)) for name, wanted in classes.items()}


def check_same_grid(reference: Geometry, prediction: Geometry) -> None:
    """Check that two masks in canonical axis order are on the same grid.

    Raises:
        GridError: They are not; the message describes both grids.
    """
    if reference.matches(prediction, GRID_TOLERANCE_MM):
        return
    offset = ""
    if reference.shape == prediction.shape:
        offset = f", up to {_largest_offset_mm(reference, prediction):.3g} mm apart"
    raise GridError(
        f"the prediction is on a different grid ({grid_description(prediction)}) than the reference "
        f"({grid_description(reference)}){offset}; expected the same grid. Resample the prediction onto the "
        "reference's grid with nearest-neighbour interpolation, or export it on the grid of the scan."
    )


def _largest_offset_mm(one: Geometry, other: Geometry) -> float:
    corners = np.array(list(itertools.product(*((0, size - 1) for size in one.shape), (1,)))).T
    difference = ((one.affine - other.affine) @ corners)[:3]
    return float(np.linalg.norm(difference, axis=0).max())
