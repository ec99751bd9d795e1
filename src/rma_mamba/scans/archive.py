"""Zip archives of DICOM files, read into memory one member at a time; nothing is extracted to disk.

Member names are therefore never used as paths (`../` has no effect), and no archive can fill the disk. Links are not
followed: what a link leads to is in the archive under its own name, or is missing.
The declared sizes are checked before any member is read.
Source: PKWARE APPNOTE.TXT 6.3, sections 4.3.14 to 4.3.16 (end of central directory).
"""

from __future__ import annotations

import io
import posixpath
import stat
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rma_mamba.errors import ScanError
from rma_mamba.folder_tree import is_ignored
from rma_mamba.scans.input_files import MAX_FILES, InputFile, too_many_files

# Names and sizes of a hundred thousand members take about ten megabytes.
_MAX_DIRECTORY_BYTES = 2**25

# Limits for one member and for the archive: larger than any multi-frame object, and than any study.
_MAX_MEMBER_BYTES = 2**31
_MAX_TOTAL_BYTES = 2**34

# Slices compress to a half or a third, empty ones to a hundredth; a large archive with a higher ratio is a zip bomb.
_MAX_RATIO = 200
_HARMLESS_BYTES = 2**26

_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END_64, _END_64_BYTES = b"PK\x06\x06", 56
_MAX_COMMENT_BYTES = 2**16

_ENCRYPTED = 1  # bit 0 of the flags of a member

CORRUPT_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    ValueError,
    RuntimeError,
    struct.error,
    UnicodeError,
)


def members(path: Path) -> list[InputFile]:
    """The files in a zip archive, sorted by name, and links to files that are not in it.

    Raises:
        ScanError: The archive is corrupt, encrypted, or larger than any study.
    """
    # Stays open while one of its members is in use: reading the list of members again would be slow.
    archive, infos = open_archive(path)
    names = {posixpath.normpath(name) for name in archive.namelist()}
    links = {id(info) for info in infos if stat.S_ISLNK(info.external_attr >> 16)}
    return [
        InputFile(
            info.filename,
            info.file_size,
            partial(_open, archive, info),
            is_missing=id(info) in links,
        )
        for info in infos
        if id(info) not in links or _target(archive, info) not in names
    ]


def open_archive(path: Path) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    """A zip archive, and its visible files sorted by name; nothing has been read but the list.

    Raises:
        ScanError: As in `members`.
    """
    _check_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except CORRUPT_ARCHIVE as error:
        raise corrupt_archive() from error
    infos = [info for info in archive.infolist() if _is_visible_file(info)]
    try:
        _check_members(infos, path.stat().st_size)
    except ScanError:
        archive.close()
        raise
    infos.sort(key=lambda info: (info.filename, info.header_offset))
    return archive, infos


def _is_visible_file(info: zipfile.ZipInfo) -> bool:
    return not info.is_dir() and not any(map(is_ignored, PurePosixPath(info.filename).parts))


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """The name of the member that a link leads to."""
    with _open(archive, info) as content:
        link = content.read().decode("utf-8", "surrogateescape")
    return posixpath.normpath(posixpath.join(posixpath.dirname(info.filename), link))


def _check_members(infos: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    """Reject encrypted members, members that share their content, and implausible sizes."""
    if len(infos) > MAX_FILES:
        raise too_many_files()
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise ScanError(
            "the zip archive is encrypted; expected an archive without a password. "
            "Extract it and pass the folder."
        )
    total = sum(info.file_size for info in infos)
    compressed = sum(info.compress_size for info in infos)
    large = max((info.file_size for info in infos), default=0) > _MAX_MEMBER_BYTES
    if compressed > archive_bytes:  # several members are the same bytes
        raise corrupt_archive()
    if large or is_bomb(total, compressed) or total > _MAX_TOTAL_BYTES:
        raise ScanError(
            f"the zip archive declares {total / 1e9:.1f} GB in {compressed / 1e6:.1f} MB; expected the files of "
            "one study. If the size is correct, extract the archive and pass the folder."
        )


def is_bomb(declared: int, compressed: int, max_ratio: int = _MAX_RATIO) -> bool:
    """Whether so many bytes in so few are no scans but an attempt to fill the disk."""
    return declared > _HARMLESS_BYTES and declared > max_ratio * max(compressed, 1)


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    """Read a member into memory, up to its declared size."""
    try:
        with archive.open(info) as member:
            return io.BytesIO(member.read(info.file_size))
    except CORRUPT_ARCHIVE as error:
        raise corrupt_archive() from error


def _check_directory(path: Path) -> None:
    """Reject a central directory too large for a study, before opening the archive reads it into memory."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _END_BYTES - _MAX_COMMENT_BYTES))
        tail = file.read()
        at = len(tail) - _END_BYTES
        if not (tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
            at = tail.rfind(_END)
        if at < 0 or len(tail) - at < _END_BYTES:
            raise corrupt_archive()
        count, directory = struct.unpack_from("<HI", tail, at + 10)
        locator = tail[max(0, at - _LOCATOR_BYTES) : at]
        if locator.startswith(_LOCATOR) and len(locator) == _LOCATOR_BYTES:
            file.seek(max(0, size - len(tail) + at - _LOCATOR_BYTES - _END_64_BYTES))
            end = file.read(_END_64_BYTES)
            if end.startswith(_END_64):
                count, directory = struct.unpack_from("<QQ", end, 32)
    if count > MAX_FILES or directory > _MAX_DIRECTORY_BYTES:
        raise too_many_files()


def corrupt_archive() -> ScanError:
    """The error for an archive that cannot be read."""
    return ScanError(
        "the zip archive is truncated or corrupt, or uses an unsupported compression; expected a complete "
        "archive. Copy it again, or extract it and pass the folder."
    )
