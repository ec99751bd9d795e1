"""Listing of dataset folders: files by suffix, subfolders, natural order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES
from rma_mamba.folder_tree import as_text, is_ignored, visible


def scan_files(folder: Path, suffixes: Iterable[str] = NIFTI_SUFFIXES) -> dict[str, Path]:
    """Files with one of the suffixes, by file name without it, in natural order; see `folder_tree.visible`."""
    found = {}
    for path in in_natural_order(_visible_in(folder)):
        suffix = next((each for each in suffixes if path.name.lower().endswith(each)), None)
        if suffix is not None and not path.is_dir():
            found[as_text(path.name[: -len(suffix)])] = path
    return found


def subfolders(folder: Path) -> list[Path]:
    """Folders inside a folder, in natural order; see `folder_tree.visible`."""
    return in_natural_order(path for path in _visible_in(folder) if path.is_dir())


def _visible_in(folder: Path) -> list[Path]:
    return visible(folder.iterdir()) if folder.is_dir() else []


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
    below = [
        path
        for name in names
        for level in levels
        for path in sorted(root.glob(f"{level}{name}"))
        if not any(map(is_ignored, path.relative_to(root).parts))
    ]
    for folder in ([root] if root.name in names else []) + below:
        if any((folder / name).is_dir() for name in contents):
            return folder
    return None
