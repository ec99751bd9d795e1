"""Zip archives of DICOM files, read in memory one member at a time; nothing is ever unpacked to disk.

So a member's name is no path (`../` and links lead nowhere), and no archive can fill the disk. What an archive
claims is checked before its members are looked at.
Source: PKWARE APPNOTE.TXT 6.3, sections 4.3.14 to 4.3.16 (end of central directory).
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rma_mamba.errors import ScanError
from rma_mamba.scans.input_files import MAX_FILES, InputFile, too_many

# Names and sizes of a hundred thousand members take some ten megabytes.
_MAX_DIRECTORY_BYTES = 2**25

# The largest multi-frame object, and the largest study.
_MAX_MEMBER_BYTES = 2**31
_MAX_TOTAL_BYTES = 2**34

# Slices pack to a half or a third, empty ones to a hundredth; what packs better, and is large, is a bomb.
_MAX_RATIO = 200
_HARMLESS_BYTES = 2**26

_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END_64, _END_64_BYTES = b"PK\x06\x06", 56
_MAX_COMMENT_BYTES = 2**16

_ENCRYPTED = 1  # bit 0 of a member's flags

_DAMAGE = (
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
    """The files within a zip archive, by name; folders and links are left out.

    Raises:
        ScanError: The archive is damaged, encrypted, or larger than any study.
    """
    _check_directory(path)
    try:
        # Open as long as an entry of it is in use: its list of members is long to read.
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise _damaged() from error
    infos = [info for info in archive.infolist() if _is_file(info)]
    _check(infos)
    infos.sort(key=lambda info: (info.filename, info.header_offset))
    return [
        InputFile(info.filename, info.file_size, partial(_open, archive, info)) for info in infos
    ]


def _is_file(info: zipfile.ZipInfo) -> bool:
    return not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)


def _check(infos: list[zipfile.ZipInfo]) -> None:
    """Nothing is encrypted, and no size is beyond reason."""
    if len(infos) > MAX_FILES:
        raise too_many(MAX_FILES)
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise ScanError(
            "the zip archive is encrypted; expected one without a password. Unpack it and give the folder."
        )
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    large = max((info.file_size for info in infos), default=0) > _MAX_MEMBER_BYTES
    bomb = total > _HARMLESS_BYTES and total > _MAX_RATIO * max(packed, 1)
    if large or bomb or total > _MAX_TOTAL_BYTES:
        raise ScanError(
            f"the zip archive claims {total / 1e9:.1f} GB in {packed / 1e6:.1f} MB; expected the files of "
            "one study. If that is right, unpack it and give the folder."
        )


def _open(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    """A member in memory; never more of it than the archive claims."""
    try:
        with archive.open(info) as member:
            return io.BytesIO(member.read(info.file_size))
    except _DAMAGE as error:
        raise _damaged() from error


def _check_directory(path: Path) -> None:
    """The list of members is no longer than that of a study: it is read whole when the archive is opened."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _END_BYTES - _MAX_COMMENT_BYTES))
        tail = file.read()
        at = len(tail) - _END_BYTES
        if not (tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
            at = tail.rfind(_END)
        if at < 0 or len(tail) - at < _END_BYTES:
            raise _damaged()
        count, directory = struct.unpack_from("<HI", tail, at + 10)
        locator = tail[max(0, at - _LOCATOR_BYTES) : at]
        if locator.startswith(_LOCATOR) and len(locator) == _LOCATOR_BYTES:
            file.seek(max(0, size - len(tail) + at - _LOCATOR_BYTES - _END_64_BYTES))
            end = file.read(_END_64_BYTES)
            if end.startswith(_END_64):
                count, directory = struct.unpack_from("<QQ", end, 32)
    if count > MAX_FILES or directory > _MAX_DIRECTORY_BYTES:
        raise too_many(MAX_FILES)


def _damaged() -> ScanError:
    return ScanError(
        "the zip archive is cut off or damaged, or packed in an unusual way; expected a complete one. "
        "Copy it again, or unpack it and give the folder."
    )
