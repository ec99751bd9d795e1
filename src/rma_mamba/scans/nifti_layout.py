"""Binary layout of the NIfTI-1 and NIfTI-2 headers: the fields that are read or written, as NumPy data types.

Source: nifti1.h and nifti2.h of the NIfTI standard.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

# One record per header size (sizeof_hdr, the first field): field, data type, byte offset.
_NIFTI_1 = (
    *(("sizeof_hdr", "i4", 0), ("dim", "(8,)i2", 40), ("intent_code", "i2", 68)),
    *(("datatype", "i2", 70), ("bitpix", "i2", 72), ("pixdim", "(8,)f4", 76)),
    *(("vox_offset", "f4", 108), ("scl_slope", "f4", 112), ("scl_inter", "f4", 116)),
    *(("xyzt_units", "u1", 123), ("qform_code", "i2", 252), ("sform_code", "i2", 254)),
    *(("quatern_b", "f4", 256), ("quatern_c", "f4", 260), ("quatern_d", "f4", 264)),
    *(("qoffset_x", "f4", 268), ("qoffset_y", "f4", 272), ("qoffset_z", "f4", 276)),
    *(("srow_x", "(4,)f4", 280), ("srow_y", "(4,)f4", 296), ("srow_z", "(4,)f4", 312)),
    ("magic", "S4", 344),
)
_NIFTI_2 = (
    *(("sizeof_hdr", "i4", 0), ("magic", "S4", 4), ("eol_check", "S4", 8)),
    *(("datatype", "i2", 12), ("bitpix", "i2", 14), ("dim", "(8,)i8", 16)),
    *(("pixdim", "(8,)f8", 104), ("vox_offset", "i8", 168), ("scl_slope", "f8", 176)),
    *(("scl_inter", "f8", 184), ("qform_code", "i4", 344), ("sform_code", "i4", 348)),
    *(("quatern_b", "f8", 352), ("quatern_c", "f8", 360), ("quatern_d", "f8", 368)),
    *(("qoffset_x", "f8", 376), ("qoffset_y", "f8", 384), ("qoffset_z", "f8", 392)),
    *(("srow_x", "(4,)f8", 400), ("srow_y", "(4,)f8", 432), ("srow_z", "(4,)f8", 464)),
    *(("xyzt_units", "i4", 500), ("intent_code", "i4", 504)),
)


def _record(fields: tuple[tuple[str, str, int], ...], size: int) -> np.dtype[Any]:
    names, formats, offsets = zip(*fields, strict=True)
    layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    return np.dtype(layout)  # type: ignore[call-overload, no-any-return]


HEADER_LAYOUTS = {348: _record(_NIFTI_1, 348), 540: _record(_NIFTI_2, 540)}
MAGIC_OFFSET = {348: 344, 540: 4}
SINGLE_FILE = {348: b"n+1\0", 540: b"n+2\0"}
FILE_PAIR = {348: b"ni1\0", 540: b"ni2\0"}

# NIfTI-2 only: bytes that a transfer in text mode would change.
END_OF_LINE_CHECK = b"\r\n\x1a\n"


def parsed(block: bytes, byte_order: Literal["<", ">"]) -> Any:
    """The fields of a header, by name; `block` has the size of a header of NIfTI-1 or NIfTI-2.

    Args:
        block: The header.
        byte_order: "<" (little-endian) or ">".
    """
    return np.frombuffer(block, HEADER_LAYOUTS[len(block)].newbyteorder(byte_order))[0]


def new_header(size: int) -> Any:
    """A little-endian header of this size for a single file, with all other fields zero."""
    header = np.zeros((), HEADER_LAYOUTS[size].newbyteorder("<"))
    header["sizeof_hdr"], header["magic"] = size, SINGLE_FILE[size]
    if size == 540:
        header["eol_check"] = END_OF_LINE_CHECK
    return header
