"""Structure of a JPEG Lossless stream, checked before GDCM decodes it.

GDCM decodes; nothing is decoded here. It aborts the process, however, if a Huffman table is missing or if more bits
are declared than it can hold, and it returns an image without an error for many truncated streams. A stream that does
not conform to the standard is therefore never passed to GDCM.

Source: ITU-T T.81, annexes B (markers and segments), C (Huffman tables) and H (lossless process); DICOM PS3.5 A.4.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = b"\xff\xd8"
_FRAME, _HUFFMAN_TABLE, _SCAN, _RESTART_INTERVAL = 0xC3, 0xC4, 0xDA, 0xDD
_IGNORED = (*range(0xE0, 0xF0), 0xFE, 0xDB)  # application data, comments, quantization tables
_RESTARTS = range(0xD0, 0xD8)

# A marker in coded data, after any number of fill bytes (section B.1.1.2); a zero marks a coded 0xFF instead.
_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
_STUFFED, _END = 0x00, 0xD9

_MAX_CATEGORY = 16
_CLASS_1 = 16
_MAX_CODE_LENGTH = 16


def check(stream: bytes, size: tuple[int, int], bits_allocated: int) -> None:
    """Check that a stream is one complete greyscale image with valid Huffman tables.

    Args:
        stream: The fragments of one DICOM frame, concatenated; zeros and fill bytes after the end marker are ignored.
        size: Rows and columns.
        bits_allocated: Bits per pixel, 8 or 16.

    Raises:
        ValueError: The stream is anything else.
    """
    _require(stream.startswith(_START))
    tables: set[int] = set()
    frame, interval = b"", 0
    for marker, content, after in _segments(stream):
        if marker == _HUFFMAN_TABLE:
            tables |= _table_numbers(content)
        elif marker == _RESTART_INTERVAL:
            _require(len(content) == 2)
            interval = int.from_bytes(content, "big")
        elif marker == _FRAME:
            _require(frame == b"")
            _check_frame(content, size, bits_allocated)
            frame = content
        elif marker == _SCAN:
            _check_scan(content, tables, frame)
            _check_coded_data(stream[after:], interval)
            return
        else:
            _require(marker in _IGNORED)
    raise ValueError


def _segments(stream: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end position of each segment."""
    position = len(_START)
    while position + 4 <= len(stream):
        _require(stream[position] == 0xFF)
        if stream[position + 1] == 0xFF:  # fill byte before a marker
            position += 1
            continue
        length = int.from_bytes(stream[position + 2 : position + 4], "big")
        after = position + 2 + length
        _require(length >= 2 and after <= len(stream))
        yield stream[position + 1], stream[position + 4 : after], after
        position = after


def _table_numbers(content: bytes) -> set[int]:
    """Numbers of the Huffman tables in a segment; each must be a valid prefix code.

    The lossless process uses the tables of class 0; those of class 1 have numbers from 16.
    """
    numbers: set[int] = set()
    while content:
        _require(len(content) > _MAX_CODE_LENGTH and content[0] & 0xEF < 4)
        counts = content[1 : 1 + _MAX_CODE_LENGTH]
        categories = content[1 + _MAX_CODE_LENGTH :][: sum(counts)]
        _require(0 < len(categories) == sum(counts))
        _require(content[0] >= _CLASS_1 or max(categories) <= _MAX_CATEGORY)
        free_codes = 1
        for count in counts:
            free_codes = 2 * free_codes - count
            _require(free_codes >= 0)
        _require(free_codes > 0)  # the code of all ones is reserved
        numbers.add(content[0])
        content = content[1 + _MAX_CODE_LENGTH + len(categories) :]
    return numbers


def _check_frame(content: bytes, size: tuple[int, int], bits_allocated: int) -> None:
    """The frame header: one component, the expected size, and a precision that fits."""
    _require(len(content) == 9)
    precision, components, sampling = content[0], content[5], content[7]
    rows, columns = (int.from_bytes(content[at : at + 2], "big") for at in (1, 3))
    _require((rows, columns) == size and components == 1)
    _require(1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4)  # no meaning for one component
    _require(2 <= precision <= bits_allocated)


def _check_scan(content: bytes, tables: set[int], frame: bytes) -> None:
    """The scan header: the component of the frame, an existing table, and one of the seven predictors."""
    _require(len(content) == 6 and content[0] == 1 and len(frame) > 0)
    table, predictor, end, shift = content[2] >> 4, *content[3:]
    _require(content[1] == frame[6] and table in tables)
    _require(1 <= predictor <= 7 and end == 0 and shift < frame[0])


def _check_coded_data(coded: bytes, interval: int) -> None:
    """Coded data contain no marker but restarts, if enabled, and reach to the end marker; only padding follows."""
    for marker in _MARKER.finditer(coded):
        code = marker[1][0]
        if code == _END:
            _require(marker.start() > 0 and not coded[marker.end() :].strip(b"\0\xff"))
            return
        stuffed = code == _STUFFED and len(marker[0]) == 2
        _require(stuffed or (interval > 0 and code in _RESTARTS))
    raise ValueError


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
