"""Headers of NRRD and MetaImage files, checked before ITK reads them.

ITK opens any data file that a header names and allocates any size that it declares.
Source: the NRRD format (teem.sourceforge.net/nrrd/format.html) and ITK's MetaIO.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.errors import ScanError

_HEADER_BYTES = 2**16
_MAX_NAME_LENGTH = 40
_MAX_AXIS_DIGITS = 2
_MAX_AXES = 10
_CHUNK_BYTES = 2**22
_ZLIB_OR_GZIP = 32 + 15  # window bits that make zlib detect the format

# Fields that name the data file, in lower case and without spaces; LOCAL means the header file itself.
_DATA_FILE = ("datafile", "elementdatafile")
_ORIENTATION = ("space", "spacedimension", "transformmatrix", "rotation", "orientation")

# Fields with a length per axis. MetaIO tells capital from small letters, and takes the size of a voxel as its spacing.
_META_SPACING = ("ElementSpacing", "ElementSize")
_NRRD_VECTOR = re.compile(r"\([^)]*\)")
_UNITS = ("units", "spaceunits", "distanceunits")
_MILLIMETRES = ("", "mm", "millimeter", "millimeters", "millimetre", "millimetres")
_LENGTH = re.compile(r"(k|d|c|m|u|µ|n)?m|micron|inch|in|(centi|milli|micro|nano)?met(er|re)")


@dataclass(frozen=True)
class ItkHeader:
    """The header fields of a NRRD or MetaImage file.

    Args:
        path: The file.
        fields: Values by name, in lower case and without spaces.
        is_nrrd: Whether it is NRRD; else it is MetaImage.
        size: Number of bytes of the header.
        names: The names of the fields as they are written.
        remarks: The keys of remarks in a NRRD file ("key:=value"), in lower case; they define nothing.
    """

    path: Path
    fields: dict[str, str]
    is_nrrd: bool
    size: int
    names: frozenset[str] = frozenset()
    remarks: frozenset[str] = frozenset()

    @property
    def axes_with_spacing(self) -> int:
        """Number of axes along which the header defines the voxel size; of MetaImage it defines all or none."""
        if not self.is_nrrd:
            return 3 if self.names.intersection(_META_SPACING) else 0
        vectors = _NRRD_VECTOR.findall(self.fields.get("spacedirections", ""))
        numbers = self.fields.get("spacings", "").lower().split()
        return min(3, max(len(vectors), sum(number != "nan" for number in numbers)))

    @property
    def unit(self) -> str:
        """The unit of length in the header, if it is not mm; else ""."""
        words = [self.fields.get(name, "").replace('"', " ").lower().split() for name in _UNITS]
        units = [
            word for each in words for word in each if _LENGTH.fullmatch(word.removesuffix("s"))
        ]
        return next((unit for unit in units if unit not in _MILLIMETRES), "")

    @property
    def has_orientation(self) -> bool:
        """Whether the header defines the orientation of the axes."""
        return any(name in self.fields for name in _ORIENTATION)

    @property
    def is_meta_compressed(self) -> bool:
        """Whether it is a MetaImage with compressed voxels."""
        return self.fields.get("compresseddata", "").lower() == "true"

    @property
    def is_compressed(self) -> bool:
        """Whether the voxels are stored compressed or as text."""
        return self.fields.get("encoding", "raw").lower() != "raw" or self.is_meta_compressed

    @property
    def data_file_name(self) -> str:
        """Name of the separate data file; "" if the voxels follow the header."""
        name = next((self.fields[key] for key in _DATA_FILE if key in self.fields), "LOCAL")
        # the bytes of the header, as Python represents them in a path
        return "" if name.upper() == "LOCAL" else os.fsdecode(name.encode("latin-1"))

    @property
    def data_file(self) -> tuple[Path, int]:
        """The file that contains the voxels, and the byte at which they start."""
        name = self.data_file_name
        return (self.path.parent / name, 0) if name else (self.path, self.size)

    @property
    def data_size(self) -> int:
        """Number of bytes after the header, or of the separate data file."""
        path, start = self.data_file
        return path.stat().st_size - start


def read_header(path: Path) -> ItkHeader:
    """Read and check a header.

    Raises:
        ScanError: The header is corrupt, or its data file is missing or not in the same folder.
    """
    header = _parse(path)
    _check_axes(header)
    _check_data_file(header)
    return header


def check_compressed_data(header: ItkHeader, size: int) -> None:
    """Check that the compressed voxels of a MetaImage are complete; MetaIO does not report corrupt data.

    Args:
        header: The header.
        size: Number of bytes after decompression.

    Raises:
        ScanError: The data are truncated, corrupt, or of another size.
    """
    path, start = header.data_file
    decompressor, count = zlib.decompressobj(_ZLIB_OR_GZIP), 0
    with path.open("rb") as file:
        file.seek(start)
        try:
            while data := decompressor.unconsumed_tail or file.read(_CHUNK_BYTES):
                count += len(decompressor.decompress(data, _CHUNK_BYTES))
                if count > size or decompressor.eof:
                    break
        except zlib.error as error:
            raise corrupt_file() from error
    if count != size or not decompressor.eof:
        raise corrupt_file()


def corrupt_file() -> ScanError:
    """The error for a file that is incomplete or whose header is wrong."""
    return ScanError(
        "the NRRD or MetaImage file is truncated or corrupt, or its header is wrong; expected a complete file. "
        "Copy or export the scan again."
    )


def _parse(path: Path) -> ItkHeader:
    with path.open("rb") as file:
        block = file.read(_HEADER_BYTES)
    is_nrrd = block.startswith(b"NRRD")
    fields: dict[str, str] = {}
    names: set[str] = set()
    remarks: set[str] = set()
    size = 0
    for line in block.splitlines(keepends=True):
        size += len(line)
        name, separator, value = line.decode("latin-1").partition(":" if is_nrrd else "=")
        key = name.strip().replace(" ", "").lower()
        if is_nrrd and value.startswith("="):
            remarks.add(key)
            continue
        if key == "ndims" and key in fields:
            raise corrupt_file()  # MetaIO would use either of the two
        if separator and len(key) <= _MAX_NAME_LENGTH:
            fields[key] = value.strip()
            names.add(name.strip())
        if key == "elementdatafile" or (is_nrrd and not line.strip()):
            break  # end of the header
    return ItkHeader(path, fields, is_nrrd, size, frozenset(names), frozenset(remarks))


def _check_axes(header: ItkHeader) -> None:
    """MetaIO accepts any number of axes and crashes with many."""
    axes = header.fields.get("ndims", "3")
    if not (axes.isdecimal() and len(axes) <= _MAX_AXIS_DIGITS and int(axes) <= _MAX_AXES):
        raise corrupt_file()


def _check_data_file(header: ItkHeader) -> None:
    """The voxels must be in the header file or in one file next to it."""
    name = header.data_file_name
    if not name:
        return
    if Path(name).name != name or name.upper().startswith("LIST") or "%" in name:
        raise ScanError(
            "the header refers to several data files or to another folder; expected one data file next to it. "
            "Put both into one folder, or convert the scan to .nii.gz."
        )
    if not (header.path.parent / name).is_file():
        raise ScanError(
            "the data file named in the header is missing; expected it next to the header. "
            "Copy header and data file into one folder."
        )
