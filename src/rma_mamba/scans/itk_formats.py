"""Reading of NRRD and MetaImage files; the only module that imports SimpleITK."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813 - the customary name

from rma_mamba.errors import ScanError
from rma_mamba.scans.checks import check_size, check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.itk_headers import ItkHeader, check_compressed_data, corrupt_file, read_header
from rma_mamba.scans.stream import MAX_GZIP_RATIO
from rma_mamba.volume import Geometry, Volume, affine_of_itk_image

_NO_ORIENTATION = "The header defines no orientation: left and right may be swapped."


def read(path: Path, volume: int | None = None) -> Volume:
    """Read one volume of a NRRD or MetaImage file.

    Args:
        path: The file, or the header of a file pair.
        volume: Which volume of a 4-D file to read, counted from 1; None if there is one.

    Raises:
        ScanError: The file is truncated or corrupt, refers to another folder, or contains no volume of real
            numbers.
        GridError: The geometry is invalid.
        ConfigError: The requested volume does not exist.
    """
    header, reader, shape, volumes = _open(path)
    number = check_volume_number(volume, volumes)
    if reader.GetDimension() == 4:
        reader.SetExtractIndex([0, 0, 0, number - 1])
        reader.SetExtractSize([*shape, 0])
    try:
        with _stderr_suppressed():
            image = reader.Execute()
    except RuntimeError as error:  # the message of ITK contains the path
        raise corrupt_file() from error
    geometry = Geometry(shape, affine_of_itk_image(image))
    raw = sitk.GetArrayFromImage(image).transpose()
    values, repairs = compact_values(raw, 1, 0)
    orientation = () if header.has_orientation else (_NO_ORIENTATION,)
    notes = (*orientation, *repairs, *plausibility_warnings(values, geometry))
    return Volume(values, geometry, warnings=notes)


def count_volumes(path: Path) -> int:
    """Number of 3-D volumes in a NRRD or MetaImage file, from the header.

    Raises:
        ScanError: As for `read`, except for errors in the voxels.
    """
    return _open(path)[3]


def _open(path: Path) -> tuple[ItkHeader, Any, tuple[int, int, int], int]:
    """Header, reader after reading the header, shape of one volume, and number of volumes."""
    header = read_header(path)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK prints paths
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if header.is_nrrd else "MetaImageIO")
    reader.SetFileName(str(path))
    try:
        with _stderr_suppressed():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise corrupt_file() from error
    size = reader.GetSize()
    if reader.GetNumberOfComponents() != 1 or reader.GetDimension() not in (3, 4):
        raise ScanError(
            f"the file has {reader.GetDimension()} axes and {reader.GetNumberOfComponents()} components per voxel; "
            "expected three axes (or four with --volume) and one component. Convert it to .nii.gz."
        )
    shape, volumes = (size[0], size[1], size[2]), math.prod(size[3:])
    check_size(shape)
    voxels, bits = math.prod(size), _bits_per_voxel(reader)
    smallest = voxels / MAX_GZIP_RATIO if header.is_compressed else voxels * bits / 8
    if smallest > header.data_size:
        raise corrupt_file()
    if header.is_meta_compressed and "headersize" not in header.fields:
        check_compressed_data(header, voxels * bits // 8)
    return header, reader, shape, volumes


def _bits_per_voxel(reader: Any) -> int:
    """Bits per voxel after decompression."""
    bits = sitk.GetPixelIDValueAsString(reader.GetPixelID()).partition("-")[0]
    return int(bits) if bits.isdecimal() else 8


@contextmanager
def _stderr_suppressed() -> Iterator[None]:
    """Suppress messages that MetaIO writes to the stderr of the process, bypassing Python and ITK."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    with open(os.devnull, "wb") as null:  # noqa: PTH123 - a device, not a path
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
