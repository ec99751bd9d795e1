"""Files of a DICOM scan, independent of where they are stored: in a folder tree, alone, or in an archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rma_mamba.errors import ScanError
from rma_mamba.folder_tree import TooManyFilesError, folder_tree
from rma_mamba.scans.earlier_results import without_results

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
        is_missing: Whether it is a link that leads nowhere, and cannot be opened.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    path: Path | None = None
    is_missing: bool = False

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
    """All files in a folder and its subfolders, sorted by name, without results of earlier runs; see `folder_tree`.

    Links that lead nowhere are included.

    Raises:
        ScanError: There are more than `MAX_FILES`.
    """
    try:
        tree = folder_tree(folder, max_files=MAX_FILES)
    except TooManyFilesError:
        raise too_many_files() from None
    files: list[InputFile] = []
    for each in tree.walk():
        paths = sorted([*without_results(each), *each.dangling])
        missing = set(each.dangling)
        files += [missing_file(path) if path in missing else from_path(path) for path in paths]
    return files


def missing_file(path: Path) -> InputFile:
    """A link that leads nowhere."""
    return InputFile(str(path), 0, partial(_open, path), path, is_missing=True)


def too_many_files() -> ScanError:
    """The error for more files than one study contains."""
    return ScanError(
        f"there are more than {MAX_FILES} files; expected the files of one study. "
        "Pass the folder of one series."
    )
