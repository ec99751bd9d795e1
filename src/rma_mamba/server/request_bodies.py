"""Bodies of requests as files: received piece by piece, so that a large one needs no memory, and up to a limit."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

PAUSE_S = 30.0  # a client that sends nothing for so long is gone, or wants to occupy the server
_LEAST_BYTES_PER_S = 1024  # on average, after the first pause

TOO_LARGE = "the request is larger than {limit}; expected less. Send fewer files, or raise the limit of the server."
_TOO_SLOW = "the request did not arrive; expected its content without long pauses. Send it again."


async def body_chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The pieces of a body.

    Raises:
        HTTPException: The body is larger than the limit (413), or arrives too slowly (408).
    """
    check_declared_size(request, limit)
    received, started = 0, asyncio.get_running_loop().time()
    stream = request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, None), PAUSE_S)
        except TimeoutError:
            raise HTTPException(408, _TOO_SLOW) from None
        except ClientDisconnect:
            raise HTTPException(400, _TOO_SLOW) from None
        if chunk is None:
            return
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        seconds = asyncio.get_running_loop().time() - started
        if seconds > PAUSE_S and received < _LEAST_BYTES_PER_S * seconds:
            raise HTTPException(408, _TOO_SLOW)
        yield chunk


@asynccontextmanager
async def received_file(request: Request, folder: Path, limit: int) -> AsyncIterator[Path]:
    """The body of a request as a file, flushed to disk; removed at the end of the block unless it was moved.

    Args:
        request: The request.
        folder: A private folder on the file system to which the file may be moved.
        limit: Bytes.

    Raises:
        HTTPException: As in `body_chunks`; or the disk is full (507).
    """
    path = folder / f"{secrets.token_hex(8)}.nii.gz"
    try:
        with disk_errors(), path.open("xb") as file:
            async for chunk in body_chunks(request, limit):
                file.write(chunk)
            await asyncio.to_thread(flush, file)
        yield path
    finally:
        path.unlink(missing_ok=True)


def check_declared_size(request: Request, limit: int) -> None:
    """Reject a body whose declared size exceeds the limit, before anything is received."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)


def flush(file: BinaryIO) -> None:
    """Flush a file to disk."""
    file.flush()
    os.fsync(file.fileno())


class disk_errors:  # noqa: N801 (a context manager)
    """Errors of the disk in the block become an answer without a path."""

    def __enter__(self) -> None:
        """Nothing happens before the block."""

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        """Replace an error of the file system."""
        if isinstance(error, OSError):
            text = f"the upload cannot be stored ({error.strerror}); expected enough free space. Free some space."
            raise HTTPException(507, text) from error


def _too_large(limit: int) -> HTTPException:
    size = f"{limit / 2**30:g} GiB" if limit >= 2**30 else f"{limit / 2**20:g} MiB"
    return HTTPException(413, TOO_LARGE.format(limit=size))
