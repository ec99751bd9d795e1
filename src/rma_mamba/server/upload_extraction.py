"""The zip archives of an upload are replaced by folders of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from rma_mamba.errors import is_disk_full
from rma_mamba.scans.archive_extraction import ArchiveLimits, check_archives, extract_archive
from rma_mamba.scans.formats import detect_format
from rma_mamba.server.disk_space import check_space, no_space
from rma_mamba.server.upload_parser import safe_path


def extract_upload(
    root: Path, *, max_bytes: int, max_files: int, max_ratio: int
) -> list[tuple[str, str]]:
    """Replace the archives in the folder of an upload; returns what was skipped, and why.

    Args:
        root: The folder.
        max_bytes, max_files: Of all files and the content of all archives together.
        max_ratio: Of uncompressed to compressed size of all archives together.

    Raises:
        ScanError: An archive cannot be read, or a limit is exceeded; nothing was extracted then.
        DiskFullError: There is no space.
    """
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    archives = [path for path in files if path.stat().st_size and detect_format(path) == "zip"]
    if not archives:
        return []
    limits = _left(ArchiveLimits(max_bytes, max_files, max_ratio), set(files) - set(archives))
    check_space(root, check_archives(archives, limits))
    return [each for archive in archives for each in _extract(archive, root)]


def _left(limits: ArchiveLimits, files: Iterable[Path]) -> ArchiveLimits:
    """What other files leave for archives."""
    sizes = [path.stat().st_size for path in files]
    room = max(limits.bytes - sum(sizes), 0)
    return ArchiveLimits(room, max(limits.files - len(sizes), 0), limits.ratio)


def _extract(path: Path, root: Path) -> list[tuple[str, str]]:
    """Replace an archive by a folder of its content."""
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    archive = path.with_name(f".{digest}.zip")
    path.rename(archive)
    folder = _folder_for(path)
    try:
        folder.mkdir(exist_ok=True)
        # other uploads are extracted at the same time
        return extract_archive(archive, folder, safe_path, lambda: check_space(root))
    except OSError as error:
        if is_disk_full(error):
            raise no_space() from error
        raise
    finally:
        archive.unlink()


def _folder_for(archive: Path) -> Path:
    """The folder that replaces an archive: without its suffix, unless a file has that name."""
    name = archive.name
    folder = archive.with_name(name[: -len(".zip")] if name.lower().endswith(".zip") else name)
    return archive if folder.is_file() else folder
