"""Folders and their files, without hidden files and those of operating systems, and without following links in circles.

A link to a folder is followed once: a folder that several links lead to is listed at its own place if it has one in
the tree, else at the first link. A link to a folder that contains the link is not followed. A link that leads nowhere
is listed: it may be a file of a data set that was not downloaded or copied.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Written by macOS, Windows and Synology beside the files of users; hidden files begin with a dot.
_SYSTEM_NAMES = {
    *("__macosx", "icon\r"),
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
    *("$recycle.bin", "system volume information", "@eadir", "lost+found"),
}


class TooManyFilesError(Exception):
    """A tree has more files than its caller allows."""


@dataclass(eq=False)
class Folder:
    """A folder.

    Args:
        path: Its path.
        files: Its files, and links to files, sorted by name.
        dangling: Its links that lead nowhere, sorted by name.
        folders: Its folders, and links to folders elsewhere, sorted by name.
    """

    path: Path
    files: list[Path] = field(default_factory=list)
    dangling: list[Path] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)

    def walk(self) -> Iterator[Folder]:
        """This folder and all folders below it, each before those that it contains."""
        pending = [self]
        while pending:
            folder = pending.pop()
            yield folder
            pending += reversed(folder.folders)


def is_ignored(name: str) -> bool:
    """Whether a file or folder is hidden, or belongs to an operating system."""
    hidden = name.startswith(".") and name not in (".", "..")
    return hidden or name.lower() in _SYSTEM_NAMES


def visible(paths: Iterable[Path]) -> list[Path]:
    """Paths sorted by name, without those whose name `is_ignored`."""
    return sorted(path for path in paths if not is_ignored(path.name))


def as_text(name: str) -> str:
    r"""A file name that can be written to any file: bytes that are not valid UTF-8 become `\udcff` and so on."""
    return name.encode("utf-8", "backslashreplace").decode()


def leads_nowhere(path: Path) -> bool:
    """Whether a path is a link whose target does not exist, or that leads to itself."""
    return path.is_symlink() and not path.exists()


def folder_tree(root: Path, *, max_files: int | None = None) -> Folder:
    """A folder with everything in it; the root itself may be a link, and may be hidden.

    Args:
        root: The folder.
        max_files: The largest number of files.

    Raises:
        TooManyFilesError: There are more files.
        OSError: A folder cannot be read.
    """
    tree, search = Folder(root), _Search(max_files)
    search.read(tree)
    search.follow_links()
    for folder in tree.walk():
        folder.folders.sort(key=lambda each: each.path)
    return tree


def once(paths: Iterable[Path]) -> list[Path]:
    """Paths sorted by name, each file once: one that is reached over a link to a folder is left out if it is there."""
    found: dict[Path, Path] = {}
    for path in sorted(paths):
        place = path.parent.resolve() / path.name
        if place not in found or path.absolute() == place:
            found[place] = path
    return sorted(found.values())


class _Search:
    """Reads folders: first all real ones, so that each is listed at its own place, then those behind links."""

    def __init__(self, max_files: int | None) -> None:
        self.remaining = max_files
        self.seen: set[tuple[int, int]] = set()
        self.links: list[tuple[Folder, Path]] = []

    def read(self, top: Folder) -> None:
        """Read a folder and the real folders in it; keep the links to folders for later."""
        pending = [top]
        while pending:
            folder = pending.pop()
            self.seen.add(_identity(folder.path))
            with os.scandir(folder.path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if not is_ignored(entry.name):
                        self._add(entry, folder, pending)

    def follow_links(self) -> None:
        """Read the folders behind links, in the order of their paths, and what they link to in turn."""
        while self.links:
            self.links.sort(key=lambda each: each[1], reverse=True)
            parent, path = self.links.pop()
            if _identity(path) in self.seen or _contains(path.resolve(), parent.path.resolve()):
                continue
            folder = Folder(path)
            parent.folders.append(folder)
            self.read(folder)

    def _add(self, entry: os.DirEntry[str], folder: Folder, pending: list[Folder]) -> None:
        path = folder.path / entry.name
        if entry.is_symlink():
            self._add_link(path, folder)
        elif entry.is_dir():
            folder.folders.append(Folder(path))
            pending.append(folder.folders[-1])
        elif entry.is_file():
            folder.files.append(path)
            self._count()

    def _add_link(self, path: Path, folder: Folder) -> None:
        if path.is_dir():
            self.links.append((folder, path))
        elif path.is_file():
            folder.files.append(path)
            self._count()
        elif leads_nowhere(path):
            folder.dangling.append(path)
            self._count()

    def _count(self) -> None:
        if self.remaining is not None:
            self.remaining -= 1
            if self.remaining < 0:
                raise TooManyFilesError


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _contains(outer: Path, inner: Path) -> bool:
    return outer == inner or outer in inner.parents
