"""Files that an earlier run of this program wrote: they may lie among the scans, and are not scans."""

from __future__ import annotations

import json
from pathlib import Path

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.folder_tree import Folder

RUN_RECORD = "run.json"

_MAX_RECORD_BYTES = 2**24
_PNG_MARK = b"tEXtSoftware\0" + SOFTWARE_NAME.encode()
_PNG_HEAD_BYTES = 200


def results_in(folder: Path) -> frozenset[str]:
    """Names of the files in a folder that its run record lists, and of the record itself; empty without a record."""
    record = folder / RUN_RECORD
    try:
        if record.stat().st_size > _MAX_RECORD_BYTES:
            return frozenset()
        content = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return frozenset()
    if not isinstance(content, dict) or "rma_mamba" not in content:
        return frozenset()
    files = content.get("files")
    return frozenset({RUN_RECORD, *(files if isinstance(files, dict) else ())})


def without_results(folder: Folder) -> list[Path]:
    """The files of a folder, without those that an earlier run wrote."""
    if not any(path.name == RUN_RECORD for path in folder.files):
        return folder.files
    written = results_in(folder.path)
    return [path for path in folder.files if path.name not in written]


def is_preview(path: Path) -> bool:
    """Whether an image file is a preview that this program wrote."""
    if path.suffix.lower() != ".png":
        return False
    try:
        with path.open("rb") as file:
            return _PNG_MARK in file.read(_PNG_HEAD_BYTES)
    except OSError:  # a link that leads nowhere, a file that must not be read
        return False
