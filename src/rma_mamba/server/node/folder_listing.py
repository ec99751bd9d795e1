"""What is in a watched folder, grouped into what belongs together, and when each group changed last."""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rma_mamba.conventions import SCAN_SUFFIXES, strip_suffix
from rma_mamba.pipeline.folder_contents import case_suffix

# Names of files that are being downloaded or copied; hidden files are skipped as well.
_PARTIAL = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", ".swp")
_DATA_SUFFIXES = (".raw", ".zraw", ".raw.gz")  # of a scan file that is only a header
LOOSE = ""  # the group of loose slices


@dataclass
class Group:
    """Files that are a scan, or several.

    Args:
        files: Relative path of each file, with its size and time of change.
        since: Monotonic time at which it was first seen as it is.
    """

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    since: float = 0.0

    @property
    def is_growing(self) -> bool:
        """Whether a file in it is still being copied: it has a temporary name, or the name of a scan and no content."""
        return any(
            name.lower().endswith(_PARTIAL if size else (*_PARTIAL, *SCAN_SUFFIXES))
            for name, (size, _) in self.files.items()
        )

    @property
    def quiet_s(self) -> float:
        """Seconds without a change."""
        return time.monotonic() - self.since

    def signature(self, names: Iterable[str] | None = None) -> str:
        """A digest of names, sizes and times of change; of some files, or all."""
        chosen = sorted(self.files if names is None else names)
        text = "\n".join(f"{name} {self.files[name]}" for name in chosen)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


class FolderListing:
    """The groups of a folder: each folder in it, each scan file with its companions, and all other files together.

    Args:
        folder: The folder.
        skipped: A folder in it that is not listed, such as that of the results.
    """

    def __init__(self, folder: Path, skipped: Path) -> None:
        self._folder, self._skipped = folder, skipped.resolve()
        self.groups: dict[str, Group] = {}

    def update(self) -> None:
        """List the folder, and note which groups have changed.

        Raises:
            OSError: The folder cannot be read.
        """
        found: dict[str, Group] = defaultdict(Group)
        for name, path in self._files():
            try:
                state = path.stat()
            except OSError:  # removed since it was listed, or a link that leads nowhere
                continue
            found[_group_of(name)].files[name] = (state.st_size, state.st_mtime_ns)
        for key, group in found.items():
            before = self.groups.get(key)
            same = before is not None and before.files == group.files
            group.since = before.since if before is not None and same else time.monotonic()
        self.groups = dict(found)

    def _files(self) -> Iterator[tuple[str, Path]]:
        for folder, folders, files in os.walk(self._folder, onerror=_raise, followlinks=False):
            here = Path(folder)
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and (here / name).resolve() != self._skipped
            )
            for name in sorted(files):
                if not name.startswith("."):
                    path = here / name
                    yield path.relative_to(self._folder).as_posix(), path


def _raise(error: OSError) -> None:
    raise error


def _group_of(name: str) -> str:
    """The group of a file: its folder in the watched folder, or the name of its scan, or `LOOSE`."""
    top, _, rest = name.partition("/")
    if rest:
        return f"{top}/"
    if name.lower().endswith(_PARTIAL):
        return _group_of(name[: name.rindex(".")])
    if case_suffix(Path(name)) or name.lower().endswith(_DATA_SUFFIXES):
        return strip_suffix(name, (*SCAN_SUFFIXES, *_DATA_SUFFIXES))
    return LOOSE
