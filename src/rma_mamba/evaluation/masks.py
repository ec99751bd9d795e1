"""Masks of any tool: read, told what is liver in them, and brought into one order of the axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError, RmaMambaError, ScanError
from rma_mamba.metrics.overlap import Bits
from rma_mamba.scans import read_scan
from rma_mamba.scans.checks import CONSTANT
from rma_mamba.scans.dtypes import NOT_FINITE
from rma_mamba.volume import Geometry, Volume

_SAME_GRID_MM = 0.1  # corners of two grids that are one; tools round affines to float32 and worse
_ROUNDING = 1e-3  # of whole numbers that were stored as floats


@dataclass(frozen=True, eq=False)
class GivenMask:
    """A mask in canonical order of the axes.

    Args:
        bits: Where the liver is.
        geometry: The grid in that order.
        has_other_labels: Nothing is liver, but something else has a label.
        doubts: What is doubtful about the file, one sentence each.
    """

    bits: Bits
    geometry: Geometry
    has_other_labels: bool
    doubts: tuple[str, ...] = ()


def read_given_mask(path: Path, labels: Sequence[int] = ()) -> GivenMask:
    """Read a mask.

    Args:
        path: A file that `read_scan` can read, of label values: whole numbers of any type.
        labels: Those that are liver; none: all above 0. 0 and 255 stand for 0 and 1.

    Raises:
        ScanError: The file cannot be read, or its values are no labels.
        GridError: Its geometry is impossible.
    """
    volume = read_scan(path)
    bits = _liver(volume, labels)
    order = volume.geometry.canonical
    others = not bits.any() and bool((volume.values > 0).any())
    doubts = tuple(doubt for doubt in volume.warnings if doubt != CONSTANT)  # a mask may be
    return GivenMask(order.apply(bits), volume.geometry.in_canonical_order, others, doubts)


def check_one_grid(reference: Geometry, prediction: Geometry) -> None:
    """See that two masks in canonical order are on one grid.

    Raises:
        GridError: They are not; it names both.
    """
    if reference.matches(prediction, _SAME_GRID_MM):
        return
    apart = ""
    if reference.shape == prediction.shape:
        apart = f", up to {_apart_mm(reference, prediction):.3g} mm apart"
    raise GridError(
        f"the prediction lies on another grid ({_described(prediction)}) than the reference "
        f"({_described(reference)}){apart}; expected one grid. Resample the prediction onto the "
        "reference's grid by nearest neighbour, or have its tool write it on the scan's own grid."
    )


def _liver(volume: Volume, labels: Sequence[int]) -> Bits:
    if any(NOT_FINITE in warning for warning in volume.warnings):
        raise ScanError(
            "a mask holds voxels that are not finite numbers; expected label values. "
            "Replace them by 0, or export the mask again."
        )
    values = volume.values
    if values.dtype.kind == "f":
        whole = np.rint(values)
        if np.abs(values - whole).max() > _ROUNDING:
            raise ScanError(
                f"a mask holds values between whole numbers ({float(values.min()):.3g} to "
                f"{float(values.max()):.3g}); expected label values. Apply the threshold to a map of "
                "probabilities, or resample labels by nearest neighbour."
            )
        values = whole
    if not labels:
        liver: Bits = values > 0
        return liver
    wanted: Sequence[int] = (255,) if 1 in labels and _is_0_and_255(values) else labels
    return np.isin(values, wanted)


def _is_0_and_255(values: npt.NDArray[np.generic]) -> bool:
    return bool(values.max() == 255 and np.isin(values, (0, 255)).all())


def _apart_mm(one: Geometry, other: Geometry) -> float:
    corners = np.array(list(itertools.product(*((0, size - 1) for size in one.shape), (1,)))).T
    difference = ((one.affine - other.affine) @ corners)[:3]
    return float(np.linalg.norm(difference, axis=0).max())


def _described(grid: Geometry) -> str:
    """Shape and spacing in the order right to left, front to back, foot to head."""
    shape = " x ".join(str(size) for size in reversed(grid.shape))
    spacing = " x ".join(f"{size:.4g}" for size in reversed(grid.spacing_mm))
    return f"{shape} voxels of {spacing} mm"


def as_error_of(what: str, error: RmaMambaError) -> RmaMambaError:
    """The same error, saying which mask it is about."""
    return type(error)(f"{what}: {error}")
