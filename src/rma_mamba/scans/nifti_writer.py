"""Writing of masks and scans as NIfTI; equal voxels on equal grids give identical files."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError
from rma_mamba.files import atomic_write
from rma_mamba.scans.in_memory import from_array
from rma_mamba.scans.mask_files import INTENT_ESTIMATE, INTENT_LABEL
from rma_mamba.scans.nifti_grid import (
    ROUNDING_TOLERANCE_MM,
    GridHeader,
    grid_from_geometry,
    grid_geometry,
)
from rma_mamba.scans.nifti_layout import NiftiHeader
from rma_mamba.volume import Mask, Volume

COMPRESSION = 6  # gzip level


@np.errstate(invalid="ignore", over="ignore")
def write_mask(mask: Mask, path: Path) -> None:
    """Write a mask with the grid header of its scan, or with its own geometry if the scan was not NIfTI.

    With several classes, the file is their label map.

    Raises:
        GridError: Grid header and geometry of the mask differ.
        ScanError: The file cannot be written.
    """
    inherited = isinstance(mask.header, GridHeader)
    grid = mask.header if inherited else grid_from_geometry(mask.geometry)
    # Stricter than between two files: geometry and header come from the same file, so they differ by rounding only.
    if inherited and not grid_geometry(grid)[0].matches(mask.geometry, ROUNDING_TOLERANCE_MM):
        raise GridError(
            "the grid of the mask differs from the grid in the header of its scan; expected the same grid. "
            "Resample the mask to the grid of the scan before writing it."
        )
    labels = (mask.labels != 0).view(np.uint8) if mask.classes is None else mask.classes.values
    _write(labels, grid, path, intent=INTENT_LABEL, what="mask")


def write_scan(
    volume: Volume, path: Path, *, is_map: bool = False, compression: int = COMPRESSION
) -> None:
    """Write a scan with its own geometry; data types other than uint8, int16 and float32 are converted.

    The header of a map (`is_map`) says that it is an estimate, so that nobody takes it for a scan.

    Raises:
        ScanError: The file cannot be written.
    """
    values = volume.values
    if values.dtype not in (np.uint8, np.int16, np.float32):
        values = from_array(values, volume.geometry.affine).values
    intent = INTENT_ESTIMATE if is_map else 0
    grid = grid_from_geometry(volume.geometry)
    _write(values, grid, path, intent=intent, what="scan", compression=compression)


def _write(
    values: npt.NDArray[Any],
    grid: GridHeader,
    path: Path,
    *,
    intent: int,
    what: str,
    compression: int = COMPRESSION,
) -> None:
    header = NiftiHeader.for_volume(grid.sizeof_hdr, grid.shape, values.dtype)
    for name, value in grid.fields.items():
        header[name] = value
    header["intent_code"] = intent
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = grid.sizeof_hdr + 4
    values = np.asfortranarray(values, values.dtype.newbyteorder("<"))
    with ExitStack() as files:
        file = files.enter_context(atomic_write(path, what))
        if path.name.lower().endswith(".gz"):
            # No file name and no time stamp in the gzip header, so that equal voxels give identical files.
            compressed = files.enter_context(gzip.GzipFile("", "wb", compression, file, mtime=0))
            file = cast("BinaryIO", compressed)
        file.write(header.content + bytes(4))  # four zero bytes: no header extensions
        file.write(values.T.data)
