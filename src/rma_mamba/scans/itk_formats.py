"""NRRD and MetaImage files; the only place where SimpleITK is imported.

ITK reads what a header says, wherever its data file lies and however large it claims to be; so the header is
looked at first. Source: the NRRD format (teem.sourceforge.net/nrrd/format.html) and ITK's MetaIO.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - as everybody writes it

from rma_mamba.errors import ScanError
from rma_mamba.scans.checks import check_size, check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.stream import MAX_GZIP_RATIO
from rma_mamba.volume import Geometry, Volume

_HEADER_BYTES = 2**16
_LONGEST_NAME = 40
_LONGEST_NUMBER = 3
_MOST_AXES = 10
_CHUNK_BYTES = 2**22
_ZLIB_OR_GZIP = 32 + 15  # zlib tells which of the two it is
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Fields that name another file, in lower case and without blanks; MetaImage's LOCAL means: in this one.
_DATA_FILE = ("datafile", "elementdatafile")
_PLACED = ("space", "spacedimension", "transformmatrix", "rotation", "orientation")


def read(path: Path, frame: int | None = None) -> Volume:
    """Read one volume of a NRRD or MetaImage file.

    Args:
        path: The file, or the header whose data file lies beside it.
        frame: Of a 4-D file the volume, from 1; None: it holds one.

    Raises:
        ScanError: The file is cut off or damaged, points elsewhere, or holds no volume of real numbers.
        GridError: Its geometry is impossible.
        ConfigError: There is no such frame.
    """
    reader, shape, volumes, placed = _opened(path)
    number = check_volume_number(frame, volumes)
    if reader.GetDimension() == 4:
        reader.SetExtractIndex([0, 0, 0, number - 1])
        reader.SetExtractSize([*shape, 0])
    try:
        with _silent():
            image = reader.Execute()
    except RuntimeError as error:  # ITK's own words hold the path
        raise _damaged() from error
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    geometry = Geometry(shape, _LPS_TO_RAS @ affine)
    raw = sitk.GetArrayFromImage(image).transpose()
    values, repairs = compact_values(raw, 1, 0)
    guess = () if placed else ("The header gives no orientation: left and right are a guess.",)
    return Volume(
        values, geometry, None, None, (*guess, *repairs, *plausibility_warnings(values, geometry))
    )


def count_volumes(path: Path) -> int:
    """Number of 3-D volumes in a NRRD or MetaImage file.

    Raises:
        ScanError: As of `read`, but for what only the voxels show.
    """
    return _opened(path)[2]


def _opened(path: Path) -> tuple[Any, tuple[int, int, int], int, bool]:
    """A reader that has read the header, the size of a volume, their number, and whether they are placed."""
    fields, header_bytes = _fields(path)
    _check_axes(fields)
    stored_bytes = _check_data_file(path, fields, header_bytes)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK prints paths
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if "nrrd" in fields else "MetaImageIO")
    reader.SetFileName(str(path))
    try:
        with _silent():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise _damaged() from error
    size = reader.GetSize()
    if reader.GetNumberOfComponents() != 1 or reader.GetDimension() not in (3, 4):
        raise ScanError(
            f"the file has {reader.GetDimension()} axes and {reader.GetNumberOfComponents()} numbers a voxel; "
            "expected three axes (four with --frame) and one number. Convert it to .nii.gz."
        )
    shape, volumes = (size[0], size[1], size[2]), math.prod(size[3:])
    check_size(shape)
    if math.prod(size) * _voxel_bytes(reader, fields) > stored_bytes:
        raise _damaged()
    if fields.get("compresseddata", "").lower() == "true" and "headersize" not in fields:
        _check_packed(path, fields, header_bytes, math.prod(size) * _bits(reader) // 8)
    return reader, shape, volumes, any(name in fields for name in _PLACED)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep MetaIO's remarks from the user: it writes them to the process's stderr, past Python and ITK."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a device, by the name that the system gives it
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _voxel_bytes(reader: Any, fields: dict[str, str]) -> float:
    """Bytes that a voxel takes in the file, at least: of packed values as few as gzip can make of them."""
    raw = fields.get("encoding", "raw").lower() == "raw"
    if not raw or fields.get("compresseddata", "").lower() == "true":
        return 1 / MAX_GZIP_RATIO
    return _bits(reader) / 8


def _bits(reader: Any) -> int:
    """Bits of a voxel once it is unpacked."""
    bits = sitk.GetPixelIDValueAsString(reader.GetPixelID()).partition("-")[0]
    return int(bits) if bits.isdecimal() else 8


def _check_axes(fields: dict[str, str]) -> None:
    """MetaIO believes any number of axes, and does not survive many."""
    axes = fields.get("ndims", "3")
    if not (axes.isdecimal() and len(axes) < _LONGEST_NUMBER and int(axes) <= _MOST_AXES):
        raise _damaged()


def _check_packed(path: Path, fields: dict[str, str], header_bytes: int, size: int) -> None:
    """A MetaImage's packed voxels are whole: MetaIO passes damaged ones on, or zeros, without a word."""
    name = next((fields[key] for key in _DATA_FILE if key in fields), "LOCAL")
    local = name.upper() == "LOCAL"
    unpacked, found = zlib.decompressobj(_ZLIB_OR_GZIP), 0
    with (path if local else path.parent / name).open("rb") as file:
        file.seek(header_bytes if local else 0)
        try:
            while rest := unpacked.unconsumed_tail or file.read(_CHUNK_BYTES):
                found += len(unpacked.decompress(rest, _CHUNK_BYTES))
                if found > size or unpacked.eof:
                    break
        except zlib.error as error:
            raise _damaged() from error
    if found != size or not unpacked.eof:
        raise _damaged()


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The header's fields by name, in lower case and without blanks ("nrrd" if it is one), and its length."""
    with path.open("rb") as file:
        block = file.read(_HEADER_BYTES)
    found: dict[str, str] = {"nrrd": ""} if block.startswith(b"NRRD") else {}
    mark = ":" if found else "="
    end = 0
    for line in block.splitlines(keepends=True):
        end += len(line)
        name, separator, value = line.decode("latin-1").partition(mark)
        key = name.strip().replace(" ", "").lower()
        if key == "ndims" and key in found:
            raise _damaged()  # which of the two counts is for MetaIO to choose
        if separator and len(key) <= _LONGEST_NAME:
            found[key] = value.strip()
        if key == "elementdatafile" or ("nrrd" in found and not line.strip()):
            break  # voxels follow
    return found, end


def _check_data_file(path: Path, fields: dict[str, str], header_bytes: int) -> int:
    """The voxels lie in this file, or in one beside it; the number of its bytes."""
    name = next((fields[key] for key in _DATA_FILE if key in fields), "LOCAL")
    if name.upper() == "LOCAL":
        return path.stat().st_size - header_bytes
    beside = path.parent / name
    if Path(name).name != name or name.upper().startswith("LIST") or "%" in name:
        raise ScanError(
            "the header names data files elsewhere or several of them; expected one file beside it. "
            "Put both into one folder, or convert the scan to .nii.gz."
        )
    if not beside.is_file():
        raise ScanError(
            "the data file that the header names is not beside it; expected both. "
            "Copy header and data into one folder."
        )
    return beside.stat().st_size


def _damaged() -> ScanError:
    return ScanError(
        "the NRRD or MetaImage file is cut off or damaged, or its header lies; expected a complete one. "
        "Copy or export the scan again."
    )
