"""Extraction of uploaded zip archives: within limits, and never out of the target folder."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rma_mamba.errors import ScanError
from rma_mamba.scans.archive import CORRUPT_ARCHIVE, corrupt_archive, is_bomb, open_archive

_PIECE_BYTES = 2**20


@dataclass(frozen=True)
class ArchiveLimits:
    """What several archives may contain together.

    Args:
        bytes: Uncompressed.
        files: Number of members.
        ratio: Of uncompressed to compressed size, from 64 MiB.
    """

    bytes: int
    files: int
    ratio: int


def check_archives(paths: Iterable[Path], limits: ArchiveLimits) -> int:
    """Check what zip archives declare together, before any of them is extracted, and return the uncompressed bytes.

    No member is extracted beyond its declared size.

    Raises:
        ScanError: An archive is corrupt or encrypted, or they are too large or zip bombs.
    """
    files = declared = compressed = 0
    for path in paths:
        archive, infos = open_archive(path)
        archive.close()
        files += len(infos)
        declared += sum(info.file_size for info in infos)
        compressed += sum(info.compress_size for info in infos)
    if files > limits.files or declared > limits.bytes:
        raise ScanError(
            f"the zip archives declare {declared / 1e9:.3g} GB in {files} {'file' if files == 1 else 'files'}; "
            f"expected at most {limits.bytes / 1e9:.3g} GB in {limits.files} files. Send their scans one by one."
        )
    if is_bomb(declared, compressed, limits.ratio):
        raise ScanError(
            f"the zip archives declare {declared / 1e9:.1f} GB in {compressed / 1e6:.1f} MB; expected scans. "
            "If the size is correct, extract them and send the files."
        )
    return declared


def extract_archive(
    path: Path,
    folder: Path,
    place: Callable[[str], PurePosixPath | None],
    before_write: Callable[[], None] = lambda: None,
) -> list[tuple[str, str]]:
    """Extract the files of a zip archive that was checked, piece by piece.

    Links are not extracted, hidden files are omitted.

    Args:
        path: The archive.
        folder: An existing folder.
        place: Maps the name of a member to a relative path; None: it is skipped.
        before_write: Called before each piece; raises an error if there is no space for it.

    Returns:
        Names of members that were skipped, and why.

    Raises:
        ScanError: The archive is corrupt, encrypted, or a zip bomb; what was extracted remains.
        OSError: A file cannot be written.
    """
    archive, infos = open_archive(path)
    skipped: list[tuple[str, str]] = []
    with archive:
        for info in infos:
            target = place(info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                skipped.append((info.filename, "it is a link"))
            elif target is None:
                skipped.append((info.filename, "the name leads out of the archive"))
            elif not _write(_pieces(archive, info), folder / target, before_write):
                skipped.append((info.filename, "another file has the same name"))
    return skipped


def _write(pieces: Iterable[bytes], target: Path, before_write: Callable[[], None]) -> bool:
    """Write a new file; whether there was none of its name."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for piece in pieces:
                before_write()
                file.write(piece)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return False
    return True


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a member, up to its declared size."""
    remaining = info.file_size
    try:
        with archive.open(info) as member:
            while piece := member.read(min(_PIECE_BYTES, remaining + 1)):
                remaining -= len(piece)
                if remaining < 0:
                    raise corrupt_archive()  # more than it declares
                yield piece
    except CORRUPT_ARCHIVE as error:
        raise corrupt_archive() from error
