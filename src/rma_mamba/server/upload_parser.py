"""The files in a multipart request, written to a folder as they arrive."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fastapi import HTTPException
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rma_mamba.errors import ConfigError
from rma_mamba.folder_tree import is_ignored

_MAX_HEADER_BYTES = 16 * 1024  # of one part
_MAX_NAME_BYTES = 200  # of a file or folder; file systems allow 255
_MAX_DEPTH = 16
_MAX_LISTED = 100

NOT_MULTIPART = (
    "the upload is not multipart/form-data; expected files with names. Drop them on the page."
)
_CORRUPT = "the upload is incomplete or corrupt; expected files with names. Send them again."


@dataclass
class SkippedFiles:
    """Files that were not used, and why; a long list is cut off."""

    listed: list[dict[str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, name: str, why: str) -> None:
        """Add a file."""
        self.count += 1
        if len(self.listed) < _MAX_LISTED:
            self.listed.append({"name": name[-_MAX_NAME_BYTES:], "why": why})


class UploadParser:
    """Writes the parts of a multipart body to files.

    Args:
        boundary: Of the parts.
        folder: An empty folder.
        max_files: Number of files.
    """

    def __init__(self, boundary: bytes, folder: Path, max_files: int) -> None:
        self.folder, self.max_files = folder, max_files
        self.files: list[Path] = []
        self.skipped = SkippedFiles()
        self._file: BinaryIO | None = None
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._parts = 0
        self._is_complete = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self.close,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def write(self, content: bytes) -> None:
        """Parse a piece of the body.

        Raises:
            ConfigError: It is corrupt.
            HTTPException: It has too many files.
            OSError: A file cannot be written.
        """
        try:
            self._parser.write(content)
        except FormParserError:
            raise ConfigError(_CORRUPT) from None

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            ConfigError: It is not.
        """
        if not self._is_complete:
            raise ConfigError(_CORRUPT)

    def close(self) -> None:
        """Close the file that is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._headers.clear()
        self._name = self._value = b""
        self._parts += 1
        if self._parts > self.max_files:
            raise HTTPException(
                413,
                f"the upload has more than {self.max_files} files; expected those of a few scans. "
                "Send fewer files, or put the scans into a folder that the server opens.",
            )

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._check_headers()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_headers()

    def _check_headers(self) -> None:
        known = sum(len(name) + len(value) for name, value in self._headers.items())
        if known + len(self._name) + len(self._value) > _MAX_HEADER_BYTES:
            raise ConfigError(_CORRUPT)

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" not in options:
            return  # a field of the form
        name = options[b"filename"].decode("utf-8", "replace").replace("%22", '"')
        path = safe_path(name)
        why = "" if path else "the name leads out of the upload, or cannot be a file name"
        if path and any(is_ignored(part) for part in path.parts):
            return  # hidden, or belongs to an operating system
        target = self.folder / path if path else self.folder
        if not why and (
            target.exists() or any(each.is_file() for each in _above(target, self.folder))
        ):
            why = "another file has the same name"
        if why:
            self.skipped.add(name, why)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = target.open("xb")
        self.files.append(target)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._is_complete = True


def safe_path(name: str) -> PurePosixPath | None:
    r"""A name in an upload or an archive as a relative path; None if it leads elsewhere or cannot be a file name.

    Both `/` and `\` separate folders. Control characters and names of drives are not accepted.
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or not 0 < len(parts) <= _MAX_DEPTH:
        return None
    for part in parts:
        encoded = part.encode("utf-8", "surrogateescape")
        if part == ".." or part.endswith(":") or part[1:2] == ":" or len(encoded) > _MAX_NAME_BYTES:
            return None
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in part):
            return None
    return PurePosixPath(*parts)


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart body.

    Raises:
        ConfigError: The body is not multipart.
    """
    with suppress(ValueError):
        kind, options = parse_options_header(content_type.encode())
        boundary = options.get(b"boundary", b"")
        if kind == b"multipart/form-data" and 0 < len(boundary) <= 200:
            return boundary
    raise ConfigError(NOT_MULTIPART)


def _above(path: Path, root: Path) -> list[Path]:
    return [each for each in path.parents if each != root and each.is_relative_to(root)]
