"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
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


@contextmanager
def write_together(what: str) -> Iterator[Callable[[Path], Path]]:
    """Let several files appear all or none.

    Within the block a function gives each path a temporary one in the same folder and with the same ending, to
    be written in its place; the same path always the same one. When the block ends without an error, all take
    their places; after any error or interrupt older files stand as before, and nothing else is left behind.

    Args:
        what: What the files are ("outputs"), for the error.

    Raises:
        ScanError: A file cannot take its place.
    """
    token = secrets.token_hex(8)
    waiting: dict[Path, Path] = {}

    def place(path: Path) -> Path:
        if path not in waiting:
            ending = "".join(path.suffixes[-2 if path.suffix.lower() == ".gz" else -1 :])
            waiting[path] = path.parent / f".rma-mamba-{token}-{len(waiting)}{ending}"
        return waiting[path]

    try:
        yield place
        _take_places(waiting)
    except OSError as error:
        raise ScanError(
            f"the {what} cannot be written ({error.strerror or 'input/output error'}); expected a "
            "writable folder with enough space. Choose another output path or free some space."
        ) from error
    finally:
        for temporary in waiting.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _take_places(waiting: dict[Path, Path]) -> None:
    """Rename all; if one cannot be, bring back what stood there before."""
    kept: dict[Path, Path | None] = {}
    try:
        for path, temporary in waiting.items():
            kept[path] = _kept(path, temporary)
            temporary.replace(path)
    except BaseException:
        for path, old in kept.items():
            with suppress(OSError):
                if old is not None:
                    old.replace(path)
                elif not waiting[path].exists():
                    path.unlink(missing_ok=True)
        raise
    finally:
        for old in kept.values():
            if old is not None:
                with suppress(OSError):
                    old.unlink(missing_ok=True)


def _kept(path: Path, temporary: Path) -> Path | None:
    """A copy of an older file, so that it can be brought back; None if there is none."""
    if not path.exists():
        return None
    old = temporary.with_name(f"{temporary.name}.old")
    try:
        old.hardlink_to(path)
    except OSError:  # some file systems have no links
        shutil.copy2(path, old)
    return old
