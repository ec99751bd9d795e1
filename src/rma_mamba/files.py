"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rma_mamba.errors import ScanError

_TEMPORARY = ".rma-mamba-{}.tmp"


@contextmanager
def atomic_write(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an error.

    The bytes go to a temporary file in the same folder (a rename is atomic only within one file
    system), reach the disk, and are then renamed. After any error or interrupt nothing is left behind
    and an older file at `path` is untouched. Missing parent folders are made.

    Args:
        path: The file.
        what: What it is ("mask"), for the error.

    Raises:
        ScanError: The folder cannot be made or written, the disk is full, or `path` is a folder.
    """
    # Not named after `path`: that name may already be as long as the file system allows.
    temporary = path.parent / _TEMPORARY.format(secrets.token_hex(8))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ScanError(
            f"the {what} cannot be written ({error.strerror or 'input/output error'}); expected a "
            "writable folder with enough space. Choose another output path or free some space."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, what: str) -> None:
    """Write `content` to `path` in one step; arguments and errors as of `atomic_write`."""
    with atomic_write(path, what) as file:
        file.write(content)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left; nobody else may be writing there."""
    for path in folder.glob(_TEMPORARY.format("*")):
        with suppress(OSError):
            path.unlink()
