"""An encoder for JPEG Lossless (ITU-T T.81, annex H), written from the standard and apart from every decoder.

One Huffman table with a code of five bits for each of the 17 categories of differences: long, but valid.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate

_LENGTH = 5  # of each code
_CATEGORIES = 17


def encoded(values: Any, *, bits: int, predictor: int = 1) -> bytes:
    """A JPEG stream of an image.

    Args:
        values: Stored values [row, column] as unsigned numbers of `bits` bits.
        bits: Precision, 2 to 16.
        predictor: Selection value, 1 to 7 (table H.1).
    """
    rows, columns = values.shape
    counts = [0] * 16
    counts[_LENGTH - 1] = _CATEGORIES
    table = bytes([0, *counts, *range(_CATEGORIES)])
    frame = struct.pack(">BHHBBBB", bits, rows, columns, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0x00, predictor, 0, 0])
    head = b"\xff\xd8" + _segment(0xC3, frame) + _segment(0xC4, table) + _segment(0xDA, scan)
    return head + _entropy(values.astype(int), bits, predictor) + b"\xff\xd9"


def compressed(data: Dataset, *, precision: int | None = None, predictor: int = 1) -> Dataset:
    """Store a slice's pixels (of one frame or several) as JPEG Lossless.

    Args:
        data: With PixelData of 8 or 16 allocated bits.
        precision: Of the streams; None: as many bits as are stored.
        predictor: 1 makes it First-Order Prediction, the usual one in archives.
    """
    bits = precision or data.BitsStored
    kind = np.uint8 if data.BitsAllocated == 8 else np.dtype("<u2")
    shape = (int(data.get("NumberOfFrames", 1)), data.Rows, data.Columns)
    frames = np.frombuffer(data.PixelData, kind).reshape(shape) & (2**bits - 1)
    streams = [encoded(each, bits=bits, predictor=predictor) for each in frames]
    data.PixelData = encapsulate(streams)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    syntax = uid.JPEGLosslessSV1 if predictor == 1 else uid.JPEGLossless
    data.file_meta.TransferSyntaxUID = syntax
    return data


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _entropy(values: Any, bits: int, predictor: int) -> bytes:
    parts = []
    for (row, column), value in np.ndenumerate(values):
        guess = _guess(values, row, column, bits, predictor)
        difference = (int(value) - guess + 2**15) % 2**16 - 2**15
        difference = 2**15 if difference == -(2**15) else difference  # category 16 is positive
        category = abs(difference).bit_length()
        parts.append(f"{category:0{_LENGTH}b}")
        if 0 < category < 16:
            extra = difference if difference > 0 else difference - 1
            parts.append(f"{extra % 2**category:0{category}b}")
    stream = "".join(parts)
    stream += "1" * (-len(stream) % 8)
    packed = int(stream, 2).to_bytes(len(stream) // 8, "big")
    return packed.replace(b"\xff", b"\xff\x00")


def _guess(values: Any, row: int, column: int, bits: int, predictor: int) -> int:
    if row == column == 0:
        return int(2 ** (bits - 1))
    if row == 0:
        return int(values[row, column - 1])
    if column == 0:
        return int(values[row - 1, column])
    a, b = int(values[row, column - 1]), int(values[row - 1, column])
    c = int(values[row - 1, column - 1])
    guesses = (a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1)
    return guesses[predictor - 1]
