"""No output may replace a file of the input: checked before any work.

Files are compared by what they are on disk, so that links and names in upper and lower case make no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rma_mamba.conventions import ACCOMPANYING_SUFFIXES
from rma_mamba.errors import ConfigError
from rma_mamba.scans.earlier_results import is_preview
from rma_mamba.scans.mask_files import is_mask_file
from rma_mamba.scans.scan_files import scan_files

_Identity = tuple[int, int]


def refuse_overwriting(
    outputs: Iterable[Path], scans: Iterable[Path], *, chosen_names: bool
) -> None:
    """Check that no output replaces a file of a scan. Results of earlier runs may be replaced.

    Args:
        outputs: Files that will be written.
        scans: Files and folders.
        chosen_names: Whether the user has chosen the names of the outputs. Then those that are no part of a scan
            (masks, previews, tables) may be replaced as well: an earlier run with the same names wrote them.

    Raises:
        ConfigError: An output is a file of a scan.
        OSError: A folder cannot be read.
    """
    existing = [(path, identity) for path in outputs if (identity := _identity(path))]
    if not existing:
        return
    files = {_identity(path) for scan in scans for path in scan_files(scan)}
    for path, identity in existing:
        if identity in files and not (chosen_names and _is_not_part_of_scan(path)):
            raise ConfigError(
                f"the output {path.name!a} is one of the input's files; expected another file. "
                "Choose another output path."
            )


def refuse_replacing(outputs: Iterable[Path], inputs: Sequence[Path]) -> None:
    """Check that no output is one of the given input files.

    Raises:
        ConfigError: It is.
    """
    taken = {identity for path in inputs if (identity := _identity(path))}
    if any(_identity(path) in taken for path in outputs):
        raise ConfigError(
            "an output file is one of the input's files; expected another file. Choose another name."
        )


def _identity(path: Path) -> _Identity | None:
    """What a path is on disk; None if it does not exist.

    Folders that will be created do not exist yet: in `new/../scan.nii`, `..` leads back from them.
    """
    with suppress(OSError):
        status = path.resolve().stat()
        return status.st_dev, status.st_ino
    return None


def _is_not_part_of_scan(path: Path) -> bool:
    beside = path.name.lower().endswith(ACCOMPANYING_SUFFIXES) or is_preview(path)
    if beside or is_mask_file(path):
        return True
    from rma_mamba.scans.dicom_probe import are_derived_objects  # imports pydicom

    return are_derived_objects([path])
