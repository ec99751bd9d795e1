"""Atomic writing of one file or of several files together: complete, or not at all."""

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

from rma_mamba.errors import ConfigError, ScanError

try:  # Unix only; elsewhere leftover files are recognised by their age
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

_PATTERN = ".rma-mamba-*.tmp"
_BACKUP = ".kept"  # in a staging folder: the previous files, until all new ones have been renamed
_ABANDONED_S = 24 * 3600.0  # used without file locks: no file takes this long to write


@contextmanager
def atomic_write(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block ends without an error.

    The content is written to a temporary file in the same folder (a rename is atomic only within one file
    system), flushed to disk and then renamed. After an error or an interrupt the temporary file is removed
    and an existing file at `path` is unchanged. Missing parent folders are created.

    Args:
        path: The file to write.
        what: The content ("mask"), for the error message.

    Raises:
        ScanError: The folder cannot be created or written to, the disk is full, or `path` is a folder.
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
        raise _write_error(what, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, what: str) -> None:
    """Write `content` to `path` atomically; arguments and errors as for `atomic_write`."""
    with atomic_write(path, what) as file:
        file.write(content)


def remove_outdated(path: Path, what: str) -> None:
    """Remove a file of earlier results that new ones do not have; nothing happens if there is none.

    Raises:
        ScanError: The file cannot be removed.
    """
    with _write_errors(what):
        path.unlink(missing_ok=True)


@contextmanager
def write_together(what: str, *, last: Path | None = None) -> Iterator[Callable[[Path], Path]]:
    """Write several files atomically: all of them, or none.

    The block receives a function that maps each path to a temporary path of the same name, in a folder beside
    it; the file is written there. When the block ends without an error, all files are renamed to their final
    paths; after an error or an interrupt existing files are unchanged and no temporary file is left.
    Only a process that is killed during the renames leaves a mix of new and old files.

    Args:
        what: The content ("results"), for the error message.
        last: The file to rename last, so that its presence shows that all others are complete.

    Raises:
        ScanError: A folder cannot be created or written to, or a file cannot be renamed.
    """
    stagings: dict[Path, _Staging] = {}
    pending: dict[Path, Path] = {}

    def place(path: Path) -> Path:
        if path not in pending:
            with _write_errors(what):
                staging = stagings.get(path.parent) or _Staging(path.parent)
            stagings[path.parent] = staging
            pending[path] = staging.folder / path.name
        return pending[path]

    try:
        yield place
        with _write_errors(what):
            _rename_all(pending, last)
    finally:
        for staging in stagings.values():
            staging.remove()


@contextmanager
def staged_folder(parent: Path, what: str) -> Iterator[Path]:
    """A new folder in `parent` that is renamed once it is complete: a rename of a folder is atomic.

    It is locked, so that `remove_unfinished` leaves it alone, and is removed at the end of the block unless renamed.

    Args:
        parent: The folder in which it is created; missing folders are created.
        what: The content ("version"), for the error message.

    Raises:
        ScanError: A file or folder cannot be written.
    """
    folder, lock = _temporary(parent), -1
    try:
        with _write_errors(what):
            folder.mkdir(parents=True)
            lock = _lock_folder(folder)
            yield folder
    finally:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def remove_unfinished(folder: Path, *, min_age_s: float = 0.0) -> None:
    """Remove temporary files that killed processes left directly in `folder`.

    Files of running processes are locked and are kept.

    Args:
        folder: The folder; it may be missing.
        min_age_s: Keep files younger than this: another process may have created one without having locked it yet.
    """
    for path in sorted(folder.glob(_PATTERN)):
        with suppress(OSError):
            age_s = time.time() - path.stat().st_mtime
            if age_s < min_age_s or not _is_abandoned(path, age_s):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _temporary(folder: Path) -> Path:
    # Not derived from the name of the file, which may already have the maximum length.
    return folder / f".rma-mamba-{secrets.token_hex(8)}.tmp"


class _Staging:
    """A locked temporary folder beside the final files, on the same file system."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self.created_parent = not parent.exists()
        self.folder = _temporary(parent)
        (self.folder / _BACKUP).mkdir(parents=True)
        self.lock = _lock_folder(self.folder)

    def remove(self) -> None:
        """Remove the folder and its content, and the parent folder if it was created and is still empty."""
        if self.lock >= 0:
            os.close(self.lock)
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.created_parent:
            with suppress(OSError):  # not empty
                self.parent.rmdir()


def _rename_all(pending: dict[Path, Path], last: Path | None) -> None:
    """Rename all files; if one rename fails, restore the previous files."""
    moved: list[tuple[Path, Path]] = []
    try:
        for path in sorted(pending, key=lambda path: path == last):
            backup = pending[path].parent / _BACKUP / path.name
            _back_up(path, backup)
            moved.append((backup, path))
            pending[path].replace(path)
    except BaseException:
        for backup, path in moved:
            _restore(backup, path)
        raise


def _back_up(path: Path, backup: Path) -> None:
    """Keep a backup of a file that is about to be replaced, without moving it."""
    if not path.exists():
        return
    try:
        backup.hardlink_to(path)
    except OSError:  # the file system has no hard links
        shutil.copy2(path, backup)


def _restore(backup: Path, path: Path) -> None:
    with suppress(OSError):
        if backup.exists():
            backup.replace(path)
        else:
            path.unlink(missing_ok=True)


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # the file system has no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_folder(folder: Path) -> int:
    """Lock a folder until the returned file descriptor is closed or the process ends."""
    if fcntl is None:
        return -1
    descriptor = os.open(folder, os.O_RDONLY)
    _lock(descriptor)
    return descriptor


def _is_abandoned(path: Path, age_s: float) -> bool:
    if fcntl is None:
        return age_s > _ABANDONED_S
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _write_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _write_error(what, error) from error


def _write_error(what: str, error: OSError) -> ScanError:
    return ScanError(
        f"the {what} cannot be written ({error.strerror or 'input/output error'}); expected a "
        "writable folder with enough free space. Choose another output path or free some space."
    )


def check_writable(path: Path) -> None:
    """Check that a file can be written, in folders that may have to be created.

    Raises:
        ConfigError: The file cannot be written.
    """
    if path.is_dir():
        raise ConfigError(
            "the output is a folder; expected the name of a file. Choose another name."
        )
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            "the output folder cannot be written; expected a writable folder. "
            "Choose another folder, or get write permission."
        )


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, so that a rename survives a power failure."""
    with suppress(OSError):  # not every file system supports it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lock_until_exit(path: Path) -> int:
    """Lock a file until this process ends, however it ends; where there are no locks, only open it.

    Returns:
        The open descriptor, which holds the lock.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def only_process(path: Path, what: str) -> Iterator[None]:
    """Keep other processes out of a folder, with a lock that ends with the process, however it ends.

    Args:
        path: The file to lock; its folder is created.
        what: What runs, for the error message: "a sweep".

    Raises:
        ConfigError: Another process holds the lock.
        ScanError: The folder cannot be written.
    """
    with _write_errors("lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
        if fcntl is not None:
            try:  # a lock of this process alone: data loader workers do not inherit it
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise ConfigError(
                    f"{what} is running in the folder {path.parent.name}; expected one at a time. Wait until it ends, "
                    "or choose another folder."
                ) from None
            except OSError:  # the file system has no locks
                pass
        yield


def file_sha256(path: Path) -> str:
    """SHA-256 digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
