"""Files of a DICOM scan, independent of where they are stored: in a folder tree, alone, or in an archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rma_mamba.errors import ScanError

# A study with five dynamic series has several thousand files; more files than this are not one study.
MAX_FILES = 100_000


@dataclass(frozen=True)
class InputFile:
    """One file.

    Args:
        name: Its name including its folders, for sorting. It may contain a patient's name and is
            never displayed.
        size: Number of bytes.
        open: Open it for reading (seekable); the caller closes it.
        path: Its path, unless it is in an archive.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    path: Path | None = None

    @property
    def suffix(self) -> str:
        """The suffix of its name, in lower case."""
        return Path(self.name).suffix.lower()

    @property
    def base_name(self) -> str:
        """Its name without folders."""
        return Path(self.name).name

    def content(self) -> bytes:
        """All of its bytes."""
        with self.open() as file:
            return file.read()


def from_path(path: Path) -> InputFile:
    """A file on disk."""
    return InputFile(str(path), path.stat().st_size, partial(_open, path), path)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def files_below(folder: Path) -> list[InputFile]:
    """All files in a folder and its subfolders, sorted by name; links to folders are not followed.

    Raises:
        ScanError: There are more than `MAX_FILES`.
    """
    files: list[InputFile] = []
    for parent, subfolders, names in os.walk(folder, onerror=_raise):
        subfolders.sort()
        paths = [Path(parent) / name for name in sorted(names)]
        files += [from_path(path) for path in paths if path.is_file()]
        if len(files) > MAX_FILES:
            raise too_many_files()
    return files


def too_many_files() -> ScanError:
    """The error for more files than one study contains."""
    return ScanError(
        f"there are more than {MAX_FILES} files; expected the files of one study. "
        "Pass the folder of one series."
    )


def _raise(error: OSError) -> None:
    raise error
