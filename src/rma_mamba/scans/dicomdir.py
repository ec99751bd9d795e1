"""A DICOMDIR, the table of contents of a medium, as the list of the files that it names.

Source: DICOM PS3.3 annex F (Basic Directory), PS3.10 section 8 (File-sets).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage

from rma_mamba.errors import ScanError
from rma_mamba.scans.dicom_parsing import pydicom_messages_suppressed
from rma_mamba.scans.input_files import (
    MAX_FILES,
    InputFile,
    from_path,
    missing_file,
    too_many_files,
)


def is_dicomdir(path: Path) -> bool:
    """Whether a file is a DICOMDIR, whatever its name."""
    try:
        with pydicom_messages_suppressed():
            meta = read_file_meta_info(path)
    except OSError:
        raise
    except Exception:  # pydicom raises exceptions of any type for corrupt bytes
        return False
    return bool(meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage)


def referenced_files(path: Path) -> list[InputFile]:
    """The files that a DICOMDIR names; capital and small letters are not distinguished, as on a medium.

    Raises:
        ScanError: It is corrupt, names no files, or none of those that it names exists.
    """
    names = sorted(set(_file_names(path)))
    if len(names) > MAX_FILES:
        raise too_many_files()
    listings: dict[Path, dict[str, Path]] = {}
    files = []
    for parts in names:
        found = _find(path.parent, parts, listings)
        files.append(
            missing_file(path.parent.joinpath(*parts)) if found is None else from_path(found)
        )
    if all(file.is_missing for file in files):
        raise ScanError(
            f"of the {len(files)} files that the DICOMDIR names none exists; expected the files of a scan next to it. "
            "Copy the whole medium, or pass the folder of the scan."
        )
    return files


def _file_names(path: Path) -> Iterator[tuple[str, ...]]:
    """The folders and the name of each file, relative to the DICOMDIR."""
    try:
        with pydicom_messages_suppressed():
            records = pydicom.dcmread(path).DirectoryRecordSequence
            found = [_parts(record.get("ReferencedFileID")) for record in records]
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ScanError(
            "the DICOMDIR is truncated or corrupt; expected a list of files. Pass the folder of the scan."
        ) from error
    # a name that leads out of the folder of the DICOMDIR is invalid
    return (parts for parts in found if parts and not any(_leads_out(part) for part in parts))


def _parts(file_id: Any) -> tuple[str, ...]:
    if not file_id:
        return ()
    values = [file_id] if isinstance(file_id, str) else file_id
    return tuple(str(part).strip() for part in values)


def _leads_out(part: str) -> bool:
    return part in ("", ".", "..") or "/" in part or "\\" in part or "\0" in part


def _find(
    folder: Path, parts: tuple[str, ...], listings: dict[Path, dict[str, Path]]
) -> Path | None:
    """The file of this name, in any combination of capital and small letters; None if there is none."""
    for part in parts:
        if folder not in listings:
            entries = sorted(folder.iterdir()) if folder.is_dir() else []
            listings[folder] = {entry.name.lower(): entry for entry in entries}
        exact = folder / part
        found = exact if exact.exists() else listings[folder].get(part.lower())
        if found is None:
            return None
        folder = found
    return folder if folder.is_file() else None
