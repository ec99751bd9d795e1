"""Bytes of a file that is plain or gzip, whatever its name says; what it lacks is a typed error."""

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

# Deflate packs at most 258 bytes into two bits (RFC 1951); a header that claims more than that is false.
MAX_GZIP_RATIO = 1032

_CHUNK_BYTES = 2**24


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked if its content is gzip.

    Raises:
        ScanError: The path is no regular file, or its gzip stream is cut or damaged (found while it is
            read inside the block).
    """
    if not path.is_file():
        raise not_a_file()
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] == GZIP_MAGIC:
                with gzip.open(file, "rb") as unpacked:
                    yield cast("BinaryIO", unpacked)
            else:
                yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ScanError(
            "the gzip file is cut off or damaged; expected a complete one. "
            "Copy or download the scan again."
        ) from error


def largest_content(path: Path) -> int:
    """Upper bound on the number of bytes that a plain or gzip file can hold."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return path.stat().st_size * (MAX_GZIP_RATIO if packed else 1)


def read_exactly(stream: BinaryIO, size: int) -> npt.NDArray[np.uint8]:
    """Read `size` bytes into one array, without a second copy.

    Raises:
        ScanError: The stream ends before.
    """
    content = np.empty(size, dtype=np.uint8)
    rest = content.data
    while rest:
        # Both kinds of file are buffered readers and have readinto; BinaryIO does not promise it.
        count = stream.readinto(rest[:_CHUNK_BYTES])  # type: ignore[attr-defined]
        if not count:
            raise too_short(size)
        rest = rest[count:]
    return content


def skip(stream: BinaryIO, size: int) -> None:
    """Read past `size` bytes, or to the end of the stream."""
    while size > 0 and (chunk := stream.read(min(size, _CHUNK_BYTES))):
        size -= len(chunk)


def too_short(size: int) -> ScanError:
    """The error for image data that end early."""
    return ScanError(
        f"the image data end early; expected {size} bytes of them, as the header says. "
        "The file is cut off: copy or download the scan again."
    )


def not_a_file() -> ScanError:
    """The error for a pipe, a device and the like."""
    return ScanError(
        "the scan's path is neither a file nor a folder; expected a scan's file or a DICOM folder. "
        "Give one of these."
    )
