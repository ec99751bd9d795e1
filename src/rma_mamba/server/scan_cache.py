"""Scans as the viewer shows them: written again when needed, so that only the newest have to be kept."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 8 * 2**30


def remove_oldest(folder: Path, *, keep: Path) -> None:
    """Remove the folders of the cases that were shown first, until the others fit into the limit.

    Args:
        folder: A folder with one folder per case.
        keep: The folder of the case that is being shown.
    """
    sizes: dict[Path, tuple[float, int]] = {}
    for case in folder.iterdir():
        with suppress(OSError):  # just removed
            files = [path.stat() for path in case.iterdir()]
            sizes[case] = (
                max((each.st_mtime for each in files), default=0.0),
                sum(each.st_size for each in files),
            )
    total = sum(size for _, size in sizes.values())
    for case in sorted(sizes, key=lambda each: sizes[each]):
        if total <= MOST_BYTES:
            return
        if case != keep:
            total -= sizes[case][1]
            shutil.rmtree(case, ignore_errors=True)
