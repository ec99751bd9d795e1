"""Reading of NRRD and MetaImage files; unusual ones are read by ITK, in a process of its own (see `itk_worker`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rma_mamba.errors import ScanError
from rma_mamba.scans.checks import check_size, check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.itk_headers import ItkHeader, check_compressed_data, corrupt_file, read_header
from rma_mamba.scans.itk_plain import PlainImage, plain_image
from rma_mamba.scans.itk_process import ItkImage, open_image
from rma_mamba.scans.stream import MAX_GZIP_RATIO
from rma_mamba.volume import Geometry, Volume

_AXES = 3

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
    header = read_header(path)
    with _open(header) as image:
        raw, affine = image.read(check_volume_number(volume, _volumes(image)))
    geometry = Geometry(raw.shape, affine)
    values, repairs = compact_values(raw, 1, 0)
    notes = (*_header_warnings(header), *repairs, *plausibility_warnings(values, geometry))
    return Volume(values, geometry, warnings=notes)


def _header_warnings(header: ItkHeader) -> Iterator[str]:
    """Warnings about what the header does not define."""
    if header.axes_with_spacing < _AXES:
        axes = "" if header.axes_with_spacing == 0 else " along every axis"
        yield (
            f"The header does not define the voxel size{axes}: 1 mm was assumed where it is missing, so volumes and "
            "sizes are not reliable. Correct the header."
        )
    if header.unit:
        yield "The header states a unit of length other than mm: mm was assumed, so volumes and sizes are not reliable."
    if not header.has_orientation:
        yield _NO_ORIENTATION


def count_volumes(path: Path) -> int:
    """Number of 3-D volumes in a NRRD or MetaImage file, from the header.

    Raises:
        ScanError: As for `read`, except for errors in the voxels.
    """
    with _open(read_header(path)) as image:
        return _volumes(image)


@contextmanager
def _open(header: ItkHeader) -> Iterator[ItkImage | PlainImage]:
    """An image whose header has been read, by ITK if it is unusual, and that agrees with the size of the file."""
    plain = plain_image(header)
    with nullcontext(plain) if plain else open_image(header) as image:
        size = image.size
        if image.components != 1 or len(size) not in (3, 4):
            raise ScanError(
                f"the file has {len(size)} axes and {image.components} components per voxel; "
                "expected three axes (or four with --volume) and one component. Convert it to .nii.gz."
            )
        check_size(size[:3])
        voxels = math.prod(size)
        smallest = voxels / MAX_GZIP_RATIO if header.is_compressed else voxels * image.bits / 8
        if smallest > header.data_size:
            raise corrupt_file()
        if header.is_meta_compressed and "headersize" not in header.fields:
            check_compressed_data(header, voxels * image.bits // 8)
        yield image


def _volumes(image: ItkImage | PlainImage) -> int:
    return math.prod(image.size[3:])
