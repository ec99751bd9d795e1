"""Listing of dataset folders: files by suffix, subfolders, natural order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES


def scan_files(folder: Path, suffixes: Iterable[str] = NIFTI_SUFFIXES) -> dict[str, Path]:
    """Files with one of the suffixes, by file name without it, in natural order; hidden files are skipped."""
    found = {}
    for path in in_natural_order(folder.iterdir() if folder.is_dir() else ()):
        suffix = next((each for each in suffixes if path.name.lower().endswith(each)), None)
        # archives made on macOS contain a hidden "._" file beside each file
        if suffix is not None and not path.name.startswith("."):
            found[path.name[: -len(suffix)]] = path
    return found


def subfolders(folder: Path) -> list[Path]:
    """Folders inside a folder, in natural order; hidden folders are skipped."""
    inside = folder.iterdir() if folder.is_dir() else ()
    return in_natural_order(
        path for path in inside if path.is_dir() and not path.name.startswith(".")
    )


def in_natural_order(paths: Iterable[Path]) -> list[Path]:
    """Paths sorted by name, with numbers in names compared by value."""
    return sorted(paths, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts "z2" before "z10"."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def find_folder(root: Path, names: Iterable[str], contents: Iterable[str]) -> Path | None:
    """The first folder with one of the names, at most three levels down, that contains one of the subfolders.

    Unzipping often doubles a folder (`Name/Name/...`), and users pass either the folder itself or its parent.

    Args:
        root: Where to search; it may be the folder itself.
        names: Possible names of the folder.
        contents: Names of subfolders, at least one of which must exist.
    """
    names, contents = tuple(names), tuple(contents)
    levels = ("", "*/", "*/*/")
    below = [path for name in names for level in levels for path in root.glob(f"{level}{name}")]
    for folder in ([root] if root.name in names else []) + below:
        if any((folder / name).is_dir() for name in contents):
            return folder
    return None
