"""The folder whose scans can be opened. Addresses hold handles instead of paths, which may name patients."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rma_mamba.conventions import ARCHIVE_SUFFIXES, DICOM_SUFFIXES, SCAN_SUFFIXES
from rma_mamba.errors import ScanError
from rma_mamba.folder_tree import visible

EntryKind = Literal["folder", "scan", "file"]


@dataclass(frozen=True)
class FolderEntry:
    """A file or folder in a list: its name, what it may be, and the handle by which it is opened."""

    name: str
    kind: EntryKind
    path: str


class ServedFolder:
    """A folder, and everything below it.

    Args:
        root: The folder; None: there is none, and only uploads can be opened.
        hidden: A folder that is not listed: that of the results.
    """

    def __init__(self, root: Path | None, hidden: Path | None = None) -> None:
        self.root = root.resolve() if root is not None else None
        self._hidden = hidden
        self._key = secrets.token_bytes(16)
        self._paths: dict[str, Path] = {}

    def resolve(self, handle: str | None) -> Path:
        """The path of a handle; none stands for the folder itself.

        Raises:
            ScanError: There is no such file or folder, or a link leads out of the served folder.
        """
        if self.root is None:
            raise ScanError(
                "the server was started without a folder; expected an upload. Drop a scan, or start it with a folder."
            )
        path = self._paths.get(handle, None) if handle else self.root
        if path is None or not path.exists() or not path.resolve().is_relative_to(self.root):
            raise ScanError(
                "there is no such file or folder; expected one that the list shows. Open the list again."
            )
        return path

    def parent(self, handle: str | None) -> str | None:
        """Handle of the folder above; "" for the served folder, None above it."""
        path = self.resolve(handle)
        if path == self.root:
            return None
        return "" if path.parent == self.root else self._handle(path.parent)

    def entries(self, handle: str | None) -> list[FolderEntry]:
        """What is in a folder, folders first.

        Raises:
            ScanError: There is no such folder, or it cannot be read.
        """
        folder = self.resolve(handle)
        try:
            found = [
                FolderEntry(path.name, _kind(path), self._handle(path))
                for path in visible(folder.iterdir())
                if path.resolve().is_relative_to(self.root or folder)
                and path.resolve() != self._hidden
            ]
        except OSError as error:
            raise ScanError(
                f"the folder cannot be read ({error.strerror}); expected a readable folder. Check its permissions."
            ) from error
        return sorted(found, key=lambda each: (each.kind != "folder", each.name.lower()))

    def _handle(self, path: Path) -> str:
        handle = hashlib.blake2b(str(path).encode(), key=self._key, digest_size=12).hexdigest()
        self._paths[handle] = path
        return handle


def _kind(path: Path) -> EntryKind:
    if path.is_dir():
        return "folder"
    name = path.name.lower()
    return "scan" if name.endswith((*SCAN_SUFFIXES, *ARCHIVE_SUFFIXES, *DICOM_SUFFIXES)) else "file"
