"""Headers of NIfTI-1, NIfTI-2 and Analyze 7.5 files: parsing, and checks of every field that is used.

Source: the NIfTI-1 and NIfTI-2 standards (nifti1.h, nifti2.h); the Analyze 7.5 file format (dbh.h).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np

from rma_mamba.errors import ScanError
from rma_mamba.folder_tree import leads_nowhere
from rma_mamba.scans.checks import check_size
from rma_mamba.scans.formats import has_dicom_prefix
from rma_mamba.scans.nifti_layout import SIZES, Endianness, NiftiHeader
from rma_mamba.scans.nifti_pairs import header_and_image, pair_suffix
from rma_mamba.scans.stream import open_stream

# sizeof_hdr, the first field, determines version and byte order; the offset of the magic string depends on it.
_MAGIC_OFFSET = {348: 344, 540: 4}
_BYTE_ORDERS: Final[tuple[tuple[Endianness, Literal["little", "big"]], ...]] = (
    ("<", "little"),
    (">", "big"),
)
_SINGLE_FILE, _FILE_PAIR = (b"n+1\0", b"n+2\0"), (b"ni1\0", b"ni2\0")

# Data types by NIfTI code; complex, colour, 1-bit and 128-bit voxels are not supported.
_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1"}
_DTYPES |= {512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_UNSUPPORTED = {1: "1-bit", 32: "complex64", 128: "RGB colour", 1536: "float128"}
_UNSUPPORTED |= {1792: "complex128", 2048: "complex256", 2304: "RGBA colour"}

# Header extensions before the image take some kilobytes; a larger offset would mean reading a zip bomb.
_MAX_OFFSET = 2**26

# Other file types that users pass: first bytes, description, what to do.
_CONVERT = "Convert it to .nii.gz or pass the DICOM folder."
_OTHER_FORMATS = (
    (b"NRRD", "a gzip-compressed NRRD file", "Decompress it and pass the .nrrd file."),
    (b"PK\x03\x04", "a gzip-compressed zip archive", "Decompress it and pass the .zip file."),
    (b"PAR1", "a Parquet table", _CONVERT),
    (b"\x89HDF", "an HDF5 or MINC file", _CONVERT),
    (b"CDF", "a MINC file", _CONVERT),
)


def header_and_image_files(path: Path) -> tuple[Path, Path]:
    """The files that contain header and image: the same file, or the two files of a .hdr/.img pair.

    Raises:
        ScanError: One file of a pair is missing, or is a link that leads nowhere.
    """
    if not pair_suffix(path):
        return path, path
    pair = header_and_image(path)
    if pair is None:
        if is_single_file(path):  # content decides, not the name
            return path, path
        raise incomplete_pair()
    if any(map(leads_nowhere, pair)):
        raise incomplete_pair()
    return pair


def is_single_file(path: Path) -> bool:
    """Whether a file starts with the header of a NIfTI file that also contains the image."""
    with open_stream(path) as stream:
        block = stream.read(348)
    return any(block[offset : offset + 4] in _SINGLE_FILE for offset in _MAGIC_OFFSET.values())


def read_header(path: Path) -> NiftiHeader:
    """The header of a file or file pair; errors as for `parse_header`."""
    header_path, image_path = header_and_image_files(path)
    with open_stream(header_path) as stream:
        return parse_header(stream, is_pair=image_path != header_path)


def parse_header(stream: BinaryIO, *, is_pair: bool = False) -> NiftiHeader:
    """A header in the byte order of the file; only its size and magic string are checked.

    Args:
        stream: Starts with the header.
        is_pair: Whether the file is one of a pair. The header of a pair without magic string is Analyze 7.5.

    Raises:
        ScanError: The file is not NIfTI, or its header is truncated.
    """
    block = stream.read(348)
    for endianness, order in _BYTE_ORDERS:
        size = int.from_bytes(block[:4], order)
        if size not in SIZES:
            continue
        block += stream.read(size - len(block))
        if len(block) < size:
            raise ScanError(
                f"the NIfTI header is truncated after {len(block)} bytes; expected {size}. "
                "Copy or download the scan again."
            )
        if block[_MAGIC_OFFSET[size] :][:4] in _SINGLE_FILE + _FILE_PAIR:
            return NiftiHeader(block, endianness)
        if is_pair and size == 348 and not block[344:348].strip(b"\0"):
            return NiftiHeader(_from_analyze(block), endianness)
    description, advice = _describe(block)
    raise ScanError(f"the file is {description}; expected a NIfTI scan or a DICOM folder. {advice}")


def has_separate_image(header: NiftiHeader) -> bool:
    """Whether the magic string indicates that the image is in a separate file."""
    return bool(header["magic"].item().startswith(b"ni"))


def volume_shape(header: NiftiHeader) -> tuple[tuple[int, int, int], int]:
    """Shape of one volume, and the number of volumes.

    Raises:
        ScanError: There are fewer than three axes, or the size is not plausible.
    """
    count, *lengths = (int(length) for length in header["dim"])
    if not 1 <= count <= 7 or min(lengths[:count]) < 1:
        raise ScanError(
            f"the NIfTI header declares {count} dimensions {lengths[: max(0, min(count, 7))]}; "
            "expected at least three positive dimensions. The header is corrupt: export the scan again."
        )
    if count < 3:
        raise ScanError(
            "the file contains a single 2-D image; expected a 3-D volume of slices. "
            "Pass the whole scan as one volume."
        )
    i, j, k = lengths[:3]
    check_size((i, j, k))
    return (i, j, k), math.prod(lengths[3:count])


def data_type(header: NiftiHeader) -> np.dtype[Any]:
    """Data type of the stored voxels.

    Raises:
        ScanError: Voxels are not real numbers of 8 to 64 bits.
    """
    code = int(header["datatype"])
    if code not in _DTYPES:
        raise ScanError(
            f"the voxels have the data type {_UNSUPPORTED.get(code, f'code {code}')}; expected real numbers of "
            "8 to 64 bits. Convert the scan to int16 or float32."
        )
    dtype: np.dtype[Any] = np.dtype(header.endianness + _DTYPES[code])
    return dtype


def image_offset(header: NiftiHeader, header_end: int) -> int:
    """Byte at which the image starts in its file.

    Args:
        header: The header.
        header_end: Size of the header in the same file; 0 for a separate image file.

    Raises:
        ScanError: The offset is not plausible.
    """
    offset = float(header["vox_offset"])
    # In old single-file images, 0 means directly after the header and its four extension bytes.
    start = header_end + 4 if offset == 0 and header_end else offset
    if not header_end <= start <= _MAX_OFFSET:
        raise ScanError(
            f"according to the header the image starts at byte {offset:g}; expected {header_end} to "
            f"{_MAX_OFFSET}. The header is corrupt: export the scan again."
        )
    return int(start)


def rescale(header: NiftiHeader) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 or NaN means that stored values are not rescaled.

    Raises:
        ScanError: There is a slope, but the intercept is not finite.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise ScanError(
            f"the header defines the slope {slope:g} and the intercept {intercept}; expected finite numbers. "
            "Correct scl_slope and scl_inter in the header."
        )
    return slope, intercept


def incomplete_pair() -> ScanError:
    """The error for one file of a .hdr/.img pair without the other."""
    return ScanError(
        "the other file of the .hdr/.img pair is missing; expected both files. "
        "Put both into one folder under the same base name, or convert the pair to .nii.gz."
    )


def _from_analyze(block: bytes) -> bytes:
    """An Analyze 7.5 header as a NIfTI-1 header without orientation.

    Size, data type and spacing have the same layout in both formats; all other fields are zero.
    """
    kept = bytearray(348)
    for start, end in ((0, 4), (40, 56), (70, 74), (76, 112)):
        kept[start:end] = block[start:end]
    kept[344:348] = _FILE_PAIR[0]
    return bytes(kept)


def _describe(block: bytes) -> tuple[str, str]:
    """What a file that is not NIfTI appears to be, and what to do."""
    if not block:
        return "empty (0 bytes)", "Copy or download the scan again."
    if has_dicom_prefix(block):
        return (
            "a gzip-compressed DICOM file",
            "Decompress it and pass the folder that contains the whole series.",
        )
    for magic, description, advice in _OTHER_FORMATS:
        if block.startswith(magic):
            return description, advice
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in block):
        return "a text file", "Pass the scan itself."
    if int.from_bytes(block[:4], "little") == 348 or int.from_bytes(block[:4], "big") == 348:
        return "an Analyze header or a corrupt NIfTI header (no magic string)", _CONVERT
    return "of an unknown format", "Pass a NIfTI scan or a DICOM folder, or copy the file again."
