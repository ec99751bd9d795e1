"""The structure of a JPEG Lossless stream, checked before it is decoded.

GDCM ends the whole process where a stream lacks a table, and fills up with zeros where one is cut off; so what
is not as the standard has it never reaches GDCM.

Source: ITU-T T.81, annexes B (markers and segments), C (Huffman tables) and H (lossless process); DICOM PS3.5 A.4.2.
"""

from __future__ import annotations

from collections.abc import Iterator

_START, _END = b"\xff\xd8", b"\xff\xd9"
_FRAME, _TABLE, _SCAN, _INTERVAL = 0xC3, 0xC4, 0xDA, 0xDD
_REMARKS = (*range(0xE0, 0xF0), 0xFE)  # application data and comments
_RESTARTS = range(0xD0, 0xD8)

_LARGEST_CATEGORY = 16
_LONGEST_CODE = 16


def check(stream: bytes, size: tuple[int, int], bits_allocated: int) -> None:
    """See that a stream is one whole grey image, whose tables are there and make sense.

    Args:
        stream: As it is stored in one frame's fragments; padding after its end is passed over.
        size: Rows and columns.
        bits_allocated: Of each pixel, 8 or 16.

    Raises:
        ValueError: It is not.
    """
    end = stream.rstrip(b"\0")
    _require(stream.startswith(_START) and end.endswith(_END))
    tables: set[int] = set()
    frame, interval = b"", 0
    for marker, content, after in _segments(stream):
        if marker == _TABLE:
            tables |= _tables(content)
        elif marker == _INTERVAL:
            _require(len(content) == 2)
            interval = int.from_bytes(content, "big")
        elif marker == _FRAME:
            _require(frame == b"")
            _check_frame(content, size, bits_allocated)
            frame = content
        elif marker == _SCAN:
            _check_scan(content, tables, frame)
            _check_coded(stream[after : len(end) - len(_END)], interval)
            return
        else:
            _require(marker in _REMARKS)
    raise ValueError


def _segments(stream: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end of each segment that has a length."""
    place = len(_START)
    while place + 4 <= len(stream):
        _require(stream[place] == 0xFF)
        if stream[place + 1] == 0xFF:  # fill bytes may stand before a marker
            place += 1
            continue
        length = int.from_bytes(stream[place + 2 : place + 4], "big")
        after = place + 2 + length
        _require(length >= 2 and after <= len(stream))
        yield stream[place + 1], stream[place + 4 : after], after
        place = after


def _tables(content: bytes) -> set[int]:
    """Numbers of the Huffman tables in a segment, each of which is a prefix code for categories."""
    found: set[int] = set()
    while content:
        _require(len(content) > _LONGEST_CODE and content[0] < 4)
        counts = content[1 : 1 + _LONGEST_CODE]
        categories = content[1 + _LONGEST_CODE :][: sum(counts)]
        _require(0 < len(categories) == sum(counts) and max(categories) <= _LARGEST_CATEGORY)
        room = 1
        for count in counts:
            room = 2 * room - count
            _require(room >= 0)
        _require(room > 0)  # the code of ones alone stays free
        found.add(content[0])
        content = content[1 + _LONGEST_CODE + len(categories) :]
    return found


def _check_frame(content: bytes, size: tuple[int, int], bits_allocated: int) -> None:
    """A frame has one component of this size, of no more bits than there is room for."""
    _require(len(content) == 9)
    precision, components, sampling = content[0], content[5], content[7]
    rows, columns = (int.from_bytes(content[at : at + 2], "big") for at in (1, 3))
    _require((rows, columns) == size and components == 1 and sampling == 0x11)
    _require(2 <= precision <= bits_allocated)


def _check_scan(content: bytes, tables: set[int], frame: bytes) -> None:
    """A scan is of the frame's component, by a table that is there and one of the seven predictors."""
    _require(len(content) == 6 and content[0] == 1 and len(frame) > 0)
    table, predictor, end, shift = content[2] >> 4, *content[3:]
    _require(content[1] == frame[6] and table in tables)
    _require(1 <= predictor <= 7 and end == 0 and shift < frame[0])


def _check_coded(coded: bytes, interval: int) -> None:
    """Within coded data every 0xFF is followed by a zero, or is a restart marker if there are restarts."""
    _require(len(coded) > 0)
    for part in coded.split(b"\xff")[1:]:
        _require(part[:1] == b"\0" or (interval > 0 and part[:1] != b"" and part[0] in _RESTARTS))


def _require(true: bool) -> None:
    if not true:
        raise ValueError
