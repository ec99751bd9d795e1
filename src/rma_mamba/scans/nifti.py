"""Reading of NIfTI-1, NIfTI-2 and Analyze 7.5 files."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from rma_mamba.scans.checks import check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.nifti_grid import GridHeader, grid_geometry
from rma_mamba.scans.nifti_header import (
    data_type,
    has_separate_image,
    header_and_image_files,
    image_offset,
    incomplete_pair,
    parse_header,
    read_header,
    rescale,
    volume_shape,
)
from rma_mamba.scans.stream import (
    max_content_size,
    open_stream,
    read_exactly,
    skip,
    truncated_image_data,
)
from rma_mamba.volume import Geometry, Volume


# Header fields may contain any bits, including signalling NaN: they are checked, so NumPy need not warn.
@np.errstate(invalid="ignore", over="ignore")
def read(path: Path, volume: int | None = None) -> Volume:
    """Read a NIfTI file: plain or gzip, any byte order, one file or a .hdr/.img pair (NIfTI or Analyze 7.5).

    Args:
        path: The file, or either file of a pair.
        volume: Which volume of a 4-D file to read, counted from 1; None if there is one.

    Raises:
        ScanError: The file is not NIfTI, is truncated, or does not contain exactly one 3-D volume of real numbers.
        GridError: The geometry in the header is invalid.
        ConfigError: The requested volume does not exist.
    """
    header_path, image_path = header_and_image_files(path)
    with ExitStack() as files:
        stream = files.enter_context(open_stream(header_path))
        header = parse_header(stream, is_pair=image_path != header_path)
        shape, volumes = volume_shape(header)
        number, dtype = check_volume_number(volume, volumes), data_type(header)
        grid = GridHeader.of(header, shape)
        geometry, warnings = grid_geometry(grid)
        position = int(header["sizeof_hdr"])
        if has_separate_image(header):
            if image_path == header_path:
                raise incomplete_pair()
            stream, position = files.enter_context(open_stream(image_path)), 0
        size = math.prod(shape) * dtype.itemsize
        offset = image_offset(header, position) + size * (number - 1)
        if offset + size > max_content_size(image_path):
            raise truncated_image_data(size)
        skip(stream, offset - position)
        raw = read_exactly(stream, size)
        skip(stream, size * (volumes - number))
        stream.read(1)  # reach the end of a gzip stream, so that its checksum is verified
    voxels = raw.view(dtype).reshape(shape, order="F")
    values, repairs = compact_values(voxels, *rescale(header))
    notes = (*warnings, *repairs, *plausibility_warnings(values, geometry))
    return Volume(values, geometry, None, grid, notes)


@np.errstate(invalid="ignore", over="ignore")
def read_geometry(path: Path) -> Geometry:
    """The geometry of a NIfTI file, from the header only.

    Raises:
        ScanError: The file is not NIfTI, or does not contain exactly one 3-D volume.
        GridError: The geometry in the header is invalid.
    """
    header = read_header(path)
    shape, volumes = volume_shape(header)
    check_volume_number(None, volumes)
    return grid_geometry(GridHeader.of(header, shape))[0]


@np.errstate(invalid="ignore", over="ignore")
def count_volumes(path: Path) -> int:
    """Number of 3-D volumes in a NIfTI file, from the header only.

    Raises:
        ScanError: The file is not NIfTI.
    """
    return volume_shape(read_header(path))[1]
