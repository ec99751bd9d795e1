"""Space on the disk that the server leaves free."""

from __future__ import annotations

import shutil
from pathlib import Path

from rma_mamba.pipeline.isolated_process import DiskFullError

_SPARE_BYTES = 2**28


def check_space(folder: Path, needed: int = 0) -> None:
    """Check that some bytes fit into a folder, and leave some space.

    Raises:
        DiskFullError: They do not.
    """
    if shutil.disk_usage(folder).free < needed + _SPARE_BYTES:
        raise no_space()


def no_space() -> DiskFullError:
    """The error for a disk that is full."""
    return DiskFullError(
        "there is not enough free space for the upload; expected more. Free some space, or send fewer scans."
    )
