"""The search for scans in an upload, as a task of worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.server.case_search import list_cases
from rma_mamba.server.upload_extraction import extract_upload


def list_upload(
    report: Progress, *, folder: str, max_bytes: int, max_files: int, max_ratio: int
) -> dict[str, Any]:
    """The scans in an upload, whose zip archives are extracted; the limits are those of the whole upload.

    Raises:
        ScanError: There are none, or an archive cannot be read, or the limits are exceeded.
        DiskFullError: There is no space for the content of the archives.
    """
    root = Path(folder)
    skipped = extract_upload(root, max_bytes=max_bytes, max_files=max_files, max_ratio=max_ratio)
    if not any(path.is_file() for path in root.rglob("*")):
        raise ScanError(
            "the upload contains no file that can be used; expected NIfTI, NRRD, MetaImage, DICOM, images or a "
            "zip archive of these. Choose other files."
        )
    found = list_cases(report, path=str(_single_folder(root)))
    return {**found, "skipped": skipped}


def _single_folder(root: Path) -> Path:
    """The folder in which everything is: its name is a better one for a case."""
    while True:
        inside = list(root.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return root
        root = inside[0]
