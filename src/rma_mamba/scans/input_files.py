"""Files of a scan, wherever they lie: in a folder and below it, alone, or within an archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rma_mamba.errors import ScanError

# A study of five dynamic series has some thousands; a whole disc of patients is not one scan.
MAX_FILES = 100_000


@dataclass(frozen=True)
class InputFile:
    """One file.

    Args:
        name: Its name with the folders above it, for sorting; it may name a person and is never shown.
        size: Number of bytes.
        open: Opens it for reading, seekable; close what it returns.
        path: Where it lies, unless it is within an archive.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    path: Path | None = None

    @property
    def suffix(self) -> str:
        """The ending of its name, in lower case."""
        return Path(self.name).suffix.lower()

    @property
    def base(self) -> str:
        """Its name without folders."""
        return Path(self.name).name

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        with self.open() as stream:
            return stream.read(count)

    def content(self) -> bytes:
        """All of its bytes."""
        with self.open() as stream:
            return stream.read()


def from_path(path: Path) -> InputFile:
    """The entry of a file on disk."""
    return InputFile(str(path), path.stat().st_size, partial(_opened, path), path)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def files_below(folder: Path) -> list[InputFile]:
    """The files in a folder and in the folders below it, by name; links to folders are not followed.

    Raises:
        ScanError: There are more than `MAX_FILES`.
    """
    found: list[InputFile] = []
    for place, below, names in os.walk(folder, onerror=_refused):
        below.sort()
        paths = [Path(place) / name for name in sorted(names)]
        found += [from_path(path) for path in paths if path.is_file()]
        if len(found) > MAX_FILES:
            raise too_many(MAX_FILES)
    return found


def too_many(limit: int) -> ScanError:
    """The error for more files than a scan has."""
    return ScanError(
        f"there are more than {limit} files; expected those of one study. "
        "Give the folder of one series."
    )


def _refused(error: OSError) -> None:
    raise error
