"""NIfTI-1 and NIfTI-2 files; the only place where nibabel is imported.

nibabel knows the layout of the headers; what a header claims is checked here before it is believed.
Source: the NIfTI-1 and NIfTI-2 standards (nifti1.h, nifti2.h).
"""

from __future__ import annotations

import gzip
import math
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt

from rma_mamba.errors import GridError, ScanError
from rma_mamba.files import atomic_write
from rma_mamba.scans.checks import check_size, check_volume_number, plausibility_warnings
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.scans.nifti_grid import GridHeader, fresh_grid, locate, unit_in_mm
from rma_mamba.scans.stream import largest_content, open_stream, read_exactly, skip, too_short
from rma_mamba.volume import Geometry, Mask, Volume

# sizeof_hdr, the first field, tells version and byte order; the magic word lies at different places.
_HEADERS: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_MAGIC_AT = {348: 344, 540: 4}
_SINGLE, _PAIR = (b"n+1\0", b"n+2\0"), (b"ni1\0", b"ni2\0")

# Data types by their NIfTI code; complex, colour, 1-bit and 128-bit values are no scan.
_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1"}
_DTYPES |= {512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_REFUSED = {1: "1-bit", 32: "complex64", 128: "RGB colour", 1536: "float128"}
_REFUSED |= {1792: "complex128", 2048: "complex256", 2304: "RGBA colour"}

# Header extensions before the image take some kilobytes; a gzip stream of zeros must not be walked through.
_MAX_OFFSET = 2**26

_INTENT_LABEL = 1002

# A kept header is written unchanged, so it has to be the grid of the data itself, not one that is close to it.
_KEPT_HEADER_MM = 1e-3

# What else people hand in: first bytes, what they are, and what to do about it.
_CONVERT = "Convert it to .nii.gz or give the DICOM folder."
_STRANGERS = (
    (b"NRRD", "an NRRD file within gzip", "Unpack it once and give the .nrrd file."),
    (b"PK\x03\x04", "a zip archive within gzip", "Unpack it once and give the .zip file."),
    (b"PAR1", "a Parquet table", _CONVERT),
    (b"\x89HDF", "an HDF5 or MINC file", _CONVERT),
    (b"CDF", "a MINC file", _CONVERT),
)


# A header may hold any bits, signalling NaN included: they are judged, not warned about.
@np.errstate(invalid="ignore", over="ignore")
def read(path: Path, frame: int | None = None) -> Volume:
    """Read a NIfTI file: plain or gzip, any byte order, single or a pair of .hdr and .img (also Analyze 7.5).

    Args:
        path: The file.
        frame: Of a 4-D file the volume, from 1; None: it holds one.

    Raises:
        ScanError: The file is no NIfTI, is cut off, or holds no single 3-D volume of real numbers.
        GridError: The header's geometry is impossible.
        ConfigError: There is no such frame.
    """
    header_path, image_path = _files(path)
    with ExitStack() as files:
        stream = files.enter_context(open_stream(header_path))
        header = _parse(stream, pair=image_path != header_path)
        shape, volumes = _shape(header)
        number, dtype = check_volume_number(frame, volumes), _dtype(header)
        grid = GridHeader.of(header, shape)
        geometry, warnings = locate(grid)
        position = int(header["sizeof_hdr"])
        if header["magic"].item().startswith(b"ni"):
            if image_path == header_path:
                raise _half_a_pair()
            stream, position = files.enter_context(open_stream(image_path)), 0
        size = math.prod(shape) * dtype.itemsize
        offset = _offset(header, position) + size * (number - 1)
        if offset + size > largest_content(image_path):
            raise too_short(size)
        skip(stream, offset - position)
        raw = read_exactly(stream, size)
        skip(stream, size * (volumes - number))
        stream.read(1)  # reaches the end of a gzip stream, where its checksum is compared
    voxels = raw.view(dtype).reshape(shape, order="F")
    values, repairs = compact_values(voxels, *_scaling(header))
    return Volume(
        values,
        geometry,
        None,
        grid,
        (*warnings, *repairs, *plausibility_warnings(values, geometry)),
    )


@np.errstate(invalid="ignore", over="ignore")
def read_geometry(path: Path) -> Geometry:
    """The grid of a NIfTI file, from its header alone.

    Raises:
        ScanError: The file is no NIfTI, or holds no single 3-D volume.
        GridError: The header's geometry is impossible.
    """
    header = _header(path)
    shape, volumes = _shape(header)
    check_volume_number(None, volumes)
    return locate(GridHeader.of(header, shape))[0]


@np.errstate(invalid="ignore", over="ignore")
def count_volumes(path: Path) -> int:
    """Number of 3-D volumes in a NIfTI file, from its header alone.

    Raises:
        ScanError: The file is no NIfTI.
    """
    return _shape(_header(path))[1]


@np.errstate(invalid="ignore", over="ignore")
def from_image(image: Any) -> Volume:
    """A nibabel image as a volume, checked as a file is; of a NIfTI image the mask keeps the grid's header.

    Raises:
        ScanError: It is no single 3-D volume of real numbers, or its file cannot be read to the end.
        GridError: Its geometry is impossible.
    """
    try:
        raw = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        # nibabel's own words hold the path
        raise ScanError(
            "the image's file is cut off, damaged or gone; expected a complete one. "
            "Copy or download the scan again."
        ) from error
    volume = from_array(raw, image.affine)
    header = image.header
    if not isinstance(header, nib.Nifti1Header):
        return volume
    grid = GridHeader.of(header, volume.geometry.shape)
    geometry, warnings = locate(grid)
    unit_mm = unit_in_mm(grid)
    affine = np.asarray(image.affine, np.float64) * [[unit_mm], [unit_mm], [unit_mm], [1.0]]
    if not geometry.matches(
        Geometry(geometry.shape, affine), _KEPT_HEADER_MM
    ):  # the affine was changed by hand
        return volume
    return Volume(volume.values, geometry, None, grid, (*warnings, *volume.warnings))


def from_array(raw: npt.NDArray[Any], affine: Any) -> Volume:
    """An array [i, j, k] (further axes of length 1 are dropped) with its affine, checked as a file is.

    Raises:
        ScanError: It is no single 3-D volume of real numbers.
        GridError: Its geometry is impossible.
    """
    shape = raw.shape[:3] if raw.ndim >= 3 and math.prod(raw.shape[3:]) == 1 else raw.shape
    if len(shape) != 3 or raw.dtype.kind not in "biuf":
        raise ScanError(
            f"the scan is an array of shape {raw.shape} and type {raw.dtype}; expected three axes "
            "and real numbers. Give one 3-D volume."
        )
    check_size(shape)
    geometry = Geometry(shape, affine)
    raw = raw.reshape(shape)
    # compact_values may use the memory that it is given; this is the caller's
    raw = raw.view(np.uint8) if raw.dtype.kind == "b" else raw
    raw = raw.copy() if raw.dtype.kind == "f" or not raw.dtype.isnative else raw
    values, repairs = compact_values(raw, 1, 0)
    return Volume(
        values, geometry, None, None, (*repairs, *plausibility_warnings(values, geometry))
    )


@np.errstate(invalid="ignore", over="ignore")
def write(mask: Mask, path: Path) -> None:
    """Write a mask on the grid of its scan's header; without one, on its own geometry.

    Raises:
        GridError: Header and geometry of the mask are not one grid.
        ScanError: The file cannot be written.
    """
    kept = isinstance(mask.header, GridHeader)
    grid = mask.header if kept else fresh_grid(mask.geometry)
    if kept and not locate(grid)[0].matches(mask.geometry, _KEPT_HEADER_MM):
        raise GridError(
            "the mask's grid is not the grid of its scan's header; expected the same one. "
            "Bring the mask back to the scan's grid before it is written."
        )
    labels = (mask.labels != 0).view(np.uint8)
    _write(labels, grid, path, intent=_INTENT_LABEL, what="mask")


def write_volume(volume: Volume, path: Path) -> None:
    """Write a scan on its own geometry; values of other types than uint8, int16 or float32 as one of these.

    Raises:
        ScanError: The file cannot be written.
    """
    values = volume.values
    if values.dtype not in (np.uint8, np.int16, np.float32):
        values = from_array(values, volume.geometry.affine).values
    _write(values, fresh_grid(volume.geometry), path, intent=0, what="scan")


def _write(
    values: npt.NDArray[Any], grid: GridHeader, path: Path, *, intent: int, what: str
) -> None:
    header = _HEADERS[grid.sizeof_hdr](endianness="<")
    header.set_data_shape(grid.shape)
    header.set_data_dtype(values.dtype)
    for name, value in grid.fields.items():
        header[name] = value
    header["intent_code"] = intent
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = grid.sizeof_hdr + 4
    values = np.asfortranarray(values, values.dtype.newbyteorder("<"))
    with ExitStack() as files:
        file = files.enter_context(atomic_write(path, what))
        if path.name.lower().endswith(".gz"):
            # Neither name nor time in the gzip header: equal voxels give equal bytes.
            packed = files.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
            file = cast("BinaryIO", packed)
        file.write(header.binaryblock + bytes(4))  # four zero bytes: no extensions follow
        file.write(values.T.data)


def _files(path: Path) -> tuple[Path, Path]:
    """The files of header and image: one and the same, or the two files of a .hdr/.img pair."""
    end = path.suffix
    if end.lower() not in (".hdr", ".img"):
        return path, path
    header, image = (
        path.with_suffix(name.upper() if end.isupper() else name) for name in (".hdr", ".img")
    )
    if not header.exists() or not image.exists():
        raise _half_a_pair()
    return header, image


def _header(path: Path) -> Any:
    header_path, image_path = _files(path)
    with open_stream(header_path) as stream:
        return _parse(stream, pair=image_path != header_path)


def _half_a_pair() -> ScanError:
    return ScanError(
        "the file is one half of a .hdr/.img pair; expected the other half beside it. "
        "Put both files, with these endings, into one folder, or convert the pair to .nii.gz."
    )


def _parse(stream: BinaryIO, *, pair: bool = False) -> Any:
    """The header as it stands, in its own byte order, unchecked but for its size and magic word.

    Of a pair without magic word, Analyze 7.5, the fields that both formats share.
    """
    block = stream.read(348)
    orders = {"<": "little", ">": "big"}
    for endianness, order in orders.items():
        size = int.from_bytes(block[:4], order)  # type: ignore[arg-type]
        if size not in _HEADERS:
            continue
        block += stream.read(size - len(block))
        if len(block) < size:
            raise ScanError(
                f"the NIfTI header ends after {len(block)} bytes; expected {size}. "
                "The file is cut off: copy or download the scan again."
            )
        if block[_MAGIC_AT[size] :][:4] in _SINGLE + _PAIR:
            return _HEADERS[size](block, endianness=endianness, check=False)
        if pair and size == 348 and not block[344:348].strip(b"\0"):
            return _HEADERS[size](_without_analyze(block), endianness=endianness, check=False)
    what, advice = _describe(block)
    raise ScanError(f"the file is {what}; expected a NIfTI scan or a DICOM folder. {advice}")


def _without_analyze(block: bytes) -> bytes:
    """An Analyze 7.5 header as one of NIfTI-1 that gives no orientation: sizes, type and spacing are the same.

    Source: the Analyze 7.5 file format (dbh.h); where it has other fields than NIfTI, there are zeros.
    """
    kept = bytearray(348)
    for start, end in ((0, 4), (40, 56), (70, 74), (76, 112)):
        kept[start:end] = block[start:end]
    kept[344:348] = _PAIR[0]
    return bytes(kept)


def _describe(block: bytes) -> tuple[str, str]:
    """What a file that is no NIfTI seems to be, and what to do about it."""
    if not block:
        return "empty (0 bytes)", "Copy or download the scan again."
    if block[128:132] == b"DICM":
        return (
            "a DICOM file within gzip",
            "Unpack it and give the folder that holds the whole series.",
        )
    for magic, what, advice in _STRANGERS:
        if block.startswith(magic):
            return what, advice
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in block):
        return "a text file", "Give the scan itself."
    if int.from_bytes(block[:4], "little") == 348 or int.from_bytes(block[:4], "big") == 348:
        return "an ANALYZE header or a damaged NIfTI header (no magic word)", _CONVERT
    return "of an unknown kind", "Give a NIfTI scan or a DICOM folder, or copy the file again."


def _shape(header: Any) -> tuple[tuple[int, int, int], int]:
    """Size of one volume, and how many there are."""
    count, *lengths = (int(length) for length in header["dim"])
    if not 1 <= count <= 7 or min(lengths[:count]) < 1:
        raise ScanError(
            f"the NIfTI header claims {count} dimensions {lengths[: max(0, min(count, 7))]}; "
            "expected three positive ones. The header is damaged: export the scan again."
        )
    volumes = math.prod(lengths[3:count])
    if count < 3:
        raise ScanError(
            "the file is one 2-D image; expected a 3-D volume of slices. "
            "Give the whole scan as one volume."
        )
    i, j, k = lengths[:3]
    check_size((i, j, k))
    return (i, j, k), volumes


def _dtype(header: Any) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code not in _DTYPES:
        raise ScanError(
            f"the voxels are of type {_REFUSED.get(code, f'code {code}')}; expected real numbers of "
            "8 to 64 bits. Convert the scan to int16 or float32."
        )
    dtype: np.dtype[Any] = np.dtype(header.endianness + _DTYPES[code])
    return dtype


def _offset(header: Any, position: int) -> int:
    """Where the image starts in its file; at least `position`, the end of what precedes it."""
    offset = float(header["vox_offset"])
    # Zero in a single file is an old way to say: right after the header and its four bytes.
    start = position + 4 if offset == 0 and position else offset
    if not position <= start <= _MAX_OFFSET:
        raise ScanError(
            f"the header says that the image starts at byte {offset:g}; expected {position} to "
            f"{_MAX_OFFSET}. The header is damaged: export the scan again."
        )
    return int(start)


def _scaling(header: Any) -> tuple[float, float]:
    """Slope and intercept; a slope of 0, or none that is a number, means that nothing is scaled."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise ScanError(
            f"the header scales values by {slope:g} and adds {intercept}; expected two numbers. "
            "Repair scl_slope and scl_inter in the header."
        )
    return slope, intercept
