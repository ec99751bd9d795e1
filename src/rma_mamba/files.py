"""Files that appear complete or not at all, alone or several together."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rma_mamba.errors import ScanError

try:  # of Unix only; elsewhere age alone tells what was left behind
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

_PATTERN = ".rma-mamba-*.tmp"
_KEPT = ".kept"  # in a staging folder: older files, until all new ones have their places
_OLD_S = 24 * 3600.0  # where there are no locks: nothing is written for so long


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
    temporary = _temporary(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _unwritten(what, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, what: str) -> None:
    """Write `content` to `path` in one step; arguments and errors as of `atomic_write`."""
    with atomic_write(path, what) as file:
        file.write(content)


@contextmanager
def write_together(what: str, *, last: Path | None = None) -> Iterator[Callable[[Path], Path]]:
    """Let several files appear all or none.

    Within the block a function gives each path a temporary one of the same name, in a folder beside it, to be
    written in its place; the same path always the same one. When the block ends without an error, all take
    their places; after any error or interrupt older files stand as before, and nothing else is left behind.
    Only a process that is killed during the renames leaves some new beside some old.

    Args:
        what: What the files are ("results"), for the error.
        last: The file that moves after all others, and so tells that they are there.

    Raises:
        ScanError: A folder cannot be made or written, or a file cannot take its place.
    """
    stagings: dict[Path, _Staging] = {}
    waiting: dict[Path, Path] = {}

    def place(path: Path) -> Path:
        if path not in waiting:
            with _unwritten_is_one_line(what):
                staging = stagings.get(path.parent) or _Staging(path.parent)
            stagings[path.parent] = staging
            waiting[path] = staging.folder / path.name
        return waiting[path]

    try:
        yield place
        with _unwritten_is_one_line(what):
            _take_places(waiting, last)
    finally:
        for staging in stagings.values():
            staging.remove()


def remove_unfinished(folder: Path, *, young_s: float = 0.0) -> None:
    """Remove what processes that were killed while they wrote have left directly in `folder`.

    What living processes write is locked and stays.

    Args:
        folder: It may be missing.
        young_s: What is younger stays in any case: where others write, one may be about to lock it.
    """
    for path in sorted(folder.glob(_PATTERN)):
        with suppress(OSError):
            age_s = time.time() - path.stat().st_mtime
            if age_s < young_s or not _is_abandoned(path, age_s):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _temporary(folder: Path) -> Path:
    # Not named after a file: that name may already be as long as the file system allows.
    return folder / f".rma-mamba-{secrets.token_hex(8)}.tmp"


class _Staging:
    """A locked folder, beside the files that are written in it, on the same file system."""

    def __init__(self, beside: Path) -> None:
        self.beside = beside
        self.made = not beside.exists()
        self.folder = _temporary(beside)
        (self.folder / _KEPT).mkdir(parents=True)
        self.lock = _lock_folder(self.folder)

    def remove(self) -> None:
        """Remove it with all that is left in it, and the folder beside it if that was made for nothing."""
        if self.lock >= 0:
            os.close(self.lock)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.made:
            with suppress(OSError):  # it holds something now
                self.beside.rmdir()


def _take_places(waiting: dict[Path, Path], last: Path | None) -> None:
    """Rename all; if one cannot be, bring back what stood there before."""
    moved: list[tuple[Path, Path]] = []
    try:
        for path in sorted(waiting, key=lambda path: path == last):
            kept = waiting[path].parent / _KEPT / path.name
            _keep(path, kept)
            moved.append((kept, path))
            waiting[path].replace(path)
    except BaseException:
        for kept, path in moved:
            _restore(kept, path)
        raise


def _keep(path: Path, kept: Path) -> None:
    """A second name for a file that is about to be replaced: it never is missing from its place."""
    if not path.exists():
        return
    try:
        kept.hardlink_to(path)
    except OSError:  # a file system without links
        shutil.copy2(path, kept)


def _restore(kept: Path, path: Path) -> None:
    with suppress(OSError):
        if kept.exists():
            kept.replace(path)
        else:
            path.unlink(missing_ok=True)


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_folder(folder: Path) -> int:
    """Lock a folder until the number that is returned is closed, or this process ends."""
    if fcntl is None:
        return -1
    descriptor = os.open(folder, os.O_RDONLY)
    _lock(descriptor)
    return descriptor


def _is_abandoned(path: Path, age_s: float) -> bool:
    if fcntl is None:
        return age_s > _OLD_S
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _unwritten_is_one_line(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritten(what, error) from error


def _unwritten(what: str, error: OSError) -> ScanError:
    return ScanError(
        f"the {what} cannot be written ({error.strerror or 'input/output error'}); expected a "
        "writable folder with enough space. Choose another output path or free some space."
    )


def file_sha256(path: Path) -> str:
    """Digest of what is in a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
