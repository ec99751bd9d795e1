"""NRRD and MetaImage files as most programs write them, read without ITK.

These are files with one volume, raw or compressed with zlib, whose header defines the position of the voxels.
`itk_process` reads the rest: text and other encodings, several volumes, data with gaps, incomplete headers.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rma_mamba.scans.itk_headers import ItkHeader, corrupt_file
from rma_mamba.scans.itk_voxels import SHIFTS, big_endian, voxel_bytes
from rma_mamba.volume import Affine, affine_from_itk

_TYPES: Final = {
    **dict.fromkeys(("unsigned char", "uchar", "uint8", "uint8_t", "met_uchar"), "u1"),
    **dict.fromkeys(("signed char", "int8", "int8_t", "met_char"), "i1"),
    **dict.fromkeys(("unsigned short", "ushort", "uint16", "uint16_t", "met_ushort"), "u2"),
    **dict.fromkeys(("short", "short int", "int16", "int16_t", "met_short"), "i2"),
    **dict.fromkeys(("unsigned int", "uint", "uint32", "uint32_t", "met_uint"), "u4"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "met_int"), "i4"),
    **dict.fromkeys(("float", "met_float"), "f4"),
    **dict.fromkeys(("double", "met_double"), "f8"),
}
# Signs of x and y from the space of a NRRD file to LPS, as ITK has them.
_SPACES: Final = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1, 1)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1, -1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1, -1)),
}
_VECTOR: Final = re.compile(r"\(([^()]*)\)")
# What a MetaImage must define, by the names that MetaIO knows, and fields that change the voxels.
_META_FIELDS: Final = {
    "NDims",
    "DimSize",
    "ElementType",
    "ElementSpacing",
    "Offset",
    "TransformMatrix",
    "BinaryData",
}
_META_OTHER: Final = (
    "headersize",
    "elementtointensityfunctionslope",
    "elementtointensityfunctionoffset",
    "position",
    "origin",
    "orientation",
    "rotation",
)


@dataclass(frozen=True)
class PlainImage:
    """An image whose header has been read; as `ItkImage`.

    Args:
        header: The header.
        size: Number of voxels along each axis.
        dtype: Type of the voxels in the file.
        affine: Voxel to RAS+ mm.
    """

    header: ItkHeader
    size: tuple[int, ...]
    dtype: np.dtype[Any]
    affine: Affine
    components: int = 1

    @property
    def bits(self) -> int:
        """Bits per voxel after decompression."""
        return 8 * self.dtype.itemsize

    def read(self, volume: int) -> tuple[npt.NDArray[Any], Affine]:
        """Voxels [i, j, k] in the byte order of this machine, and the affine.

        Raises:
            ScanError: The voxels are corrupt.
        """
        content = np.empty(math.prod(self.size) * self.dtype.itemsize, np.uint8)
        filled = 0
        try:
            for data in voxel_bytes(self.header):
                room = len(content) - filled
                if self.header.is_compressed and len(data) > room:
                    raise corrupt_file()
                part = data[:room]
                content[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
                filled += len(part)
                if filled == len(content) and not self.header.is_compressed:
                    break
        except (zlib.error, EOFError) as error:
            raise corrupt_file() from error
        if filled < len(content):
            raise corrupt_file()
        voxels = content.view(self.dtype).reshape(self.size, order="F")
        return voxels.astype(self.dtype.newbyteorder("="), copy=False), self.affine


def plain_image(header: ItkHeader) -> PlainImage | None:
    """An image that can be read without ITK; None if the file is unusual or its header is wrong."""
    try:
        size, grid = (_nrrd_grid if header.is_nrrd else _meta_grid)(header)
    except (KeyError, ValueError):
        return None
    dtype = _dtype(header)
    if dtype is None or len(size) != 3 or min(size) < 1 or not np.isfinite(grid).all():
        return None
    spacing = np.linalg.norm(grid[:, :3], axis=0)
    if not (spacing > 0).all():
        return None
    affine = affine_from_itk(
        (grid[:, :3] / spacing).ravel().tolist(), spacing.tolist(), grid[:, 3].tolist()
    )
    return PlainImage(header, size, dtype, affine)


def _dtype(header: ItkHeader) -> np.dtype[Any] | None:
    fields = header.fields
    name = _TYPES.get(fields.get("type" if header.is_nrrd else "elementtype", "").lower())
    if name is None or any(field in fields for field in SHIFTS):
        return None
    if (
        header.is_nrrd
        and name[1] != "1"
        and fields.get("endian", "").lower() not in ("little", "big")
    ):
        return None
    return np.dtype(name).newbyteorder(">" if big_endian(header) else "<")


def _nrrd_grid(header: ItkHeader) -> tuple[tuple[int, ...], npt.NDArray[np.float64]]:
    """Size, and the axes and origin in LPS mm as columns.

    Raises:
        KeyError, ValueError: The header does not define them in the usual way.
    """
    fields = header.fields
    if fields.get("encoding", "").lower() not in ("raw", "gzip", "gz") or header.unit:
        raise ValueError
    if fields["dimension"] != "3":
        raise ValueError
    columns = [_numbers(text) for text in _VECTOR.findall(fields["spacedirections"])]
    columns += [_numbers(text) for text in _VECTOR.findall(fields["spaceorigin"])]
    grid = np.array(columns, np.float64).T
    if grid.shape != (3, 4) or _VECTOR.sub("", fields["spacedirections"]).strip():
        raise ValueError
    x, y = _SPACES[fields["space"].strip('"').lower()]
    return _integers(fields["sizes"]), grid * np.array([[x], [y], [1]])


def _meta_grid(header: ItkHeader) -> tuple[tuple[int, ...], npt.NDArray[np.float64]]:
    """As `_nrrd_grid`, for a MetaImage."""
    fields: Mapping[str, str] = header.fields
    if not header.names >= _META_FIELDS or any(name in fields for name in _META_OTHER):
        raise ValueError
    usual = {"ndims": "3", "binarydata": "true", "elementnumberofchannels": "1"}
    if any(fields.get(name, value).lower() != value for name, value in usual.items()):
        raise ValueError
    spacing = np.array(_numbers(fields["elementspacing"], " "))
    directions = np.array(_numbers(fields["transformmatrix"], " ")).reshape(3, 3).T
    origin = np.array(_numbers(fields["offset"], " "))
    if (spacing <= 0).any() or spacing.shape != (3,) or origin.shape != (3,):
        raise ValueError
    return _integers(fields["dimsize"]), np.column_stack([directions * spacing, origin])


def _numbers(text: str, separator: str = ",") -> list[float]:
    parts = text.split() if separator == " " else text.split(separator)
    return [float(part) for part in parts]


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split())
