"""Voxels of NRRD and MetaImage files in the order of the file, without ITK: a look at the first of them is quick."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.scans.itk_headers import ItkHeader

# Data types of masks, as teem and MetaIO name them.
_TYPES = {
    **dict.fromkeys(("unsigned char", "uchar", "uint8", "uint8_t", "met_uchar"), "u1"),
    **dict.fromkeys(("signed char", "int8", "int8_t", "met_char"), "i1"),
    **dict.fromkeys(("unsigned short", "ushort", "uint16", "uint16_t", "met_ushort"), "u2"),
    **dict.fromkeys(("short", "short int", "int16", "int16_t", "met_short"), "i2"),
}
_ENCODINGS = ("raw", "gzip", "gz")
SHIFTS = ("byteskip", "lineskip", "headersize")
_BIG_ENDIAN = ("binarydatabyteordermsb", "elementbyteordermsb")

_CHUNK_BYTES = 2**16
_ZLIB_OR_GZIP = 32 + 15  # window bits that make zlib detect the format


def voxel_blocks(header: ItkHeader) -> Iterator[npt.NDArray[Any]]:
    """The voxels in blocks; none if they have another data type than masks, or are stored in an unusual way.

    Raises:
        OSError: The file cannot be read.
        zlib.error: The compressed voxels are corrupt.
    """
    dtype, fields = _dtype(header), header.fields
    unusual = any(name in fields for name in SHIFTS)
    if dtype is None or unusual or fields.get("encoding", "raw").lower() not in _ENCODINGS:
        return
    rest = b""
    for data in voxel_bytes(header):
        rest += data
        size = len(rest) - len(rest) % dtype.itemsize
        if size:
            yield np.frombuffer(rest[:size], dtype)
        rest = rest[size:]


def _dtype(header: ItkHeader) -> np.dtype[Any] | None:
    fields = header.fields
    name = _TYPES.get(fields.get("type" if header.is_nrrd else "elementtype", "").lower())
    if name is None:
        return None
    return np.dtype(name).newbyteorder(">" if big_endian(header) else "<")


def big_endian(header: ItkHeader) -> bool:
    """Whether the most significant byte of each voxel comes first."""
    fields = header.fields
    return fields.get("endian", "").lower() == "big" or any(
        fields.get(key, "").lower() in ("true", "1") for key in _BIG_ENDIAN
    )


def voxel_bytes(header: ItkHeader) -> Iterator[bytes]:
    """The bytes of the voxels, decompressed, in pieces.

    Raises:
        OSError: The file cannot be read.
        zlib.error: The compressed voxels are corrupt.
        EOFError: The compressed voxels are incomplete.
    """
    return _decompressed(header) if header.is_compressed else _stored(header)


def _stored(header: ItkHeader) -> Iterator[bytes]:
    path, start = header.data_file
    with path.open("rb") as file:
        file.seek(start)
        while data := file.read(_CHUNK_BYTES):
            yield data


def _decompressed(header: ItkHeader) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(_ZLIB_OR_GZIP)
    for data in _stored(header):
        pending = data
        while pending and not decompressor.eof:
            yield decompressor.decompress(pending, _CHUNK_BYTES)
            pending = decompressor.unconsumed_tail
    while not decompressor.eof:
        rest = decompressor.decompress(decompressor.unconsumed_tail, _CHUNK_BYTES)
        if not rest:
            raise EOFError
        yield rest
