"""Byte streams of plain and gzip files, detected from the content; incomplete data raise typed errors."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ScanError

GZIP_MAGIC = b"\x1f\x8b"

# Deflate encodes at most 258 bytes in two bits (RFC 1951); a higher ratio in a header is impossible.
MAX_GZIP_RATIO = 1032

_CHUNK_BYTES = 2**24


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; gzip content is decompressed.

    Raises:
        ScanError: The path is not a regular file, or its gzip stream is truncated or corrupt (raised while the
            stream is read within the block).
    """
    if not path.is_file():
        raise not_a_file()
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] == GZIP_MAGIC:
                with gzip.open(file, "rb") as decompressed:
                    yield cast("BinaryIO", decompressed)
            else:
                yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ScanError(
            "the gzip file is truncated or corrupt; expected a complete file. "
            "Copy or download the scan again."
        ) from error


def max_content_size(path: Path) -> int:
    """Upper limit of the number of bytes in a plain or gzip file after decompression."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
    return path.stat().st_size * (MAX_GZIP_RATIO if is_gzip else 1)


def read_exactly(stream: BinaryIO, size: int) -> npt.NDArray[np.uint8]:
    """Read `size` bytes into one array, without a second copy in memory.

    Raises:
        ScanError: The stream ends earlier.
    """
    content = np.empty(size, dtype=np.uint8)
    remaining = content.data
    while remaining:
        # Plain and gzip files are buffered readers with readinto, which the type BinaryIO does not declare.
        count = stream.readinto(remaining[:_CHUNK_BYTES])  # type: ignore[attr-defined]
        if not count:
            raise truncated_image_data(size)
        remaining = remaining[count:]
    return content


def skip(stream: BinaryIO, size: int) -> None:
    """Skip `size` bytes, or to the end of the stream."""
    while size > 0 and (chunk := stream.read(min(size, _CHUNK_BYTES))):
        size -= len(chunk)


def truncated_image_data(size: int) -> ScanError:
    """The error for image data that end too early."""
    return ScanError(
        f"the image data are truncated; expected {size} bytes according to the header. "
        "Copy or download the scan again."
    )


def not_a_file() -> ScanError:
    """The error for a pipe, a device or similar."""
    return ScanError(
        "the scan is neither a file nor a folder; expected a scan file or a DICOM folder. "
        "Pass one of these."
    )
