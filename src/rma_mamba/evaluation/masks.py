"""Reading of liver masks written by any tool, as binary masks in canonical axis order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.conventions import GRID_TOLERANCE_MM
from rma_mamba.errors import GridError
from rma_mamba.metrics.overlap import Bits
from rma_mamba.scans.mask_reader import read_mask_content
from rma_mamba.volume import Geometry, Volume, grid_description


@dataclass(frozen=True, eq=False)
class LiverMask:
    """A liver mask in canonical axis order.

    Args:
        bits: True where the liver is.
        geometry: Grid of the mask, in canonical axis order.
        has_other_labels: Whether the file contains labels, but none of them is liver.
        warnings: Problems found while reading the file, one sentence each.
        open_axis: As in `Mask`, in canonical axis order.
    """

    bits: Bits
    geometry: Geometry
    has_other_labels: bool
    warnings: tuple[str, ...] = ()
    open_axis: int | None = None


def read_liver_mask(
    path: Path, labels: Sequence[int] = (), scan: Volume | Geometry | None = None
) -> LiverMask:
    """Read a mask file and select the liver.

    Args:
        path: NIfTI, NRRD, MetaImage or an image with label values, whole numbers of any dtype; or a DICOM Segmentation
            or RT Structure Set.
        labels: Label values of the liver, or numbers of segments or regions; none: every value above 0, in PNG and JPEG
            files every level above 63, in a DICOM object the liver by code or name. In a file that contains only 0 and
            255, 255 is the liver (see `rma_mamba.labels`).
        scan: The scan or its grid, on whose voxels the mask must be; None: the grid of the mask.

    Raises:
        ScanError: The file cannot be read, or its values are not labels.
        GridError: The geometry in the header is invalid, or the mask is not on the grid of the scan.
    """
    content = read_mask_content(path, scan)
    bits, axis = content.liver(labels), content.open_axis
    return LiverMask(
        content.geometry.canonical.apply(bits),
        content.geometry.in_canonical_order,
        not bits.any() and not content.is_empty,
        content.warnings,
        None if axis is None else content.geometry.canonical.permutation.index(axis),
    )


def read_class_masks(
    path: Path, classes: Mapping[str, Sequence[int]], scan: Volume | Geometry | None = None
) -> dict[str, Bits]:
    """Where a mask file has each class, in canonical axis order.

    Args:
        path, scan: As in `read_liver_mask`.
        classes: Label values, or numbers of segments or regions, of each class.

    Raises:
        ScanError: The file cannot be read, or its values are not labels.
        GridError: The mask is not on the grid of the scan.
    """
    content = read_mask_content(path, scan)
    order = content.geometry.canonical
    return {name: order.apply(content.where(wanted)) for name, wanted in classes.items()}


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
