"""Extraction of an uploaded zip archive: within limits, and never out of the target folder."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from rma_mamba.errors import ScanError
from rma_mamba.scans.archive import CORRUPT_ARCHIVE, corrupt_archive, open_archive

_PIECE_BYTES = 2**20


def extract_archive(
    path: Path,
    folder: Path,
    place: Callable[[str], PurePosixPath | None],
    *,
    max_bytes: int,
    max_files: int,
) -> list[tuple[str, str]]:
    """Extract the files of a zip archive, piece by piece.

    Links are not extracted, hidden files are omitted.

    Args:
        path: The archive.
        folder: An existing folder.
        place: Maps the name of a member to a relative path; None: it is skipped.
        max_bytes: Uncompressed bytes of all members together.
        max_files: Number of members.

    Returns:
        Names of members that were skipped, and why.

    Raises:
        ScanError: The archive is corrupt, encrypted, too large, or a zip bomb; what was extracted remains.
        OSError: A file cannot be written.
    """
    archive, infos = open_archive(path)
    skipped: list[tuple[str, str]] = []
    with archive:
        if len(infos) > max_files or sum(info.file_size for info in infos) > max_bytes:
            raise ScanError(
                f"the zip archive declares {len(infos)} files and {sum(i.file_size for i in infos) / 1e9:.1f} GB; "
                f"expected at most {max_files} files and {max_bytes / 1e9:.3g} GB. Send its scans one by one."
            )
        for info in infos:
            target = place(info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                skipped.append((info.filename, "it is a link"))
            elif target is None:
                skipped.append((info.filename, "the name leads out of the archive"))
            elif not _extract(archive, info, folder / target):
                skipped.append((info.filename, "another file has the same name"))
    return skipped


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> bool:
    """Write a member to a new file, up to its declared size."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            _copy(archive, info, file.write)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return False
    return True


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, write: Callable[[bytes], int]) -> None:
    remaining = info.file_size
    try:
        with archive.open(info) as member:
            while piece := member.read(min(_PIECE_BYTES, remaining + 1)):
                remaining -= len(piece)
                if remaining < 0:
                    raise corrupt_archive()  # more than it declares
                write(piece)
    except CORRUPT_ARCHIVE as error:
        raise corrupt_archive() from error
