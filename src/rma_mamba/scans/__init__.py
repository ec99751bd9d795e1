"""Scan files in, mask files out. A scan's kind is told from its content, not from its name alone.

>>> volume = read_scan("patient7/")  # a folder of one DICOM series, or a NIfTI file
>>> write_mask(mask, "liver.nii.gz")
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.volume import Geometry, Mask, Volume

__all__ = ["read_geometry", "read_scan", "slice_files", "volume_of", "write_mask", "write_scan"]

MASK_SUFFIXES = (".nii", ".nii.gz")


def read_scan(path: str | os.PathLike[str]) -> Volume:
    """Read one 3-D scan with its geometry in mm (RAS+).

    Args:
        path: A NIfTI file (NIfTI-1 or -2, plain or gzip, or either file of a .hdr/.img pair), or a
            folder that holds the files of one DICOM series of CT or MR slices.

    Returns:
        Intensities [i, j, k] as int16, uint8 or float32 (HU for DICOM CT); what was repaired or is
        doubtful stands in `Volume.warnings`.

    Raises:
        ScanError: The path is missing or unreadable, or holds no complete, regular 3-D volume.
        GridError: The scan's geometry is impossible.
    """
    # The libraries behind the readers load on first use: `import rma_mamba.scans` stays quick.
    scan = Path(path)
    with _opened():
        if scan.is_dir():
            from rma_mamba.scans import dicom

            return dicom.read(scan)
        _check_exists(scan)
        from rma_mamba.scans import nifti

        return nifti.read(scan)


def read_geometry(path: str | os.PathLike[str]) -> Geometry:
    """The grid of a scan, from the headers alone; what only the voxels show stays unseen.

    Args:
        path: As of `read_scan`.

    Raises:
        ScanError: The path is missing, or holds no single 3-D volume.
        GridError: The scan's geometry is impossible.
    """
    scan = Path(path)
    with _opened():
        if scan.is_dir():
            from rma_mamba.scans import dicom

            return dicom.read_geometry(scan)[0]
        _check_exists(scan)
        from rma_mamba.scans import nifti

        return nifti.read_geometry(scan)


def slice_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The files of a folder's DICOM series in the order in which `read_scan` stacks them along k.

    Raises:
        ScanError, GridError: The folder holds no complete, regular series.
    """
    with _opened():
        from rma_mamba.scans import dicom

        return dicom.read_geometry(Path(folder))[1]


@contextmanager
def _opened() -> Iterator[None]:
    """What the file system refuses, as an error of this package."""
    try:
        yield
    except OSError as error:
        raise ScanError(
            f"the scan cannot be opened ({error.strerror or 'input/output error'}); "
            "expected a readable file or folder. Check its path and permissions."
        ) from error


def _check_exists(scan: Path) -> None:
    if not scan.exists():
        raise ScanError(
            "there is nothing at the scan's path; expected a NIfTI file or a DICOM folder. "
            "Check the path for typing errors."
        )


def volume_of(scan: Any, affine: Any = None) -> Volume:
    """A scan that is in memory already, as a volume that was checked as a file is.

    Args:
        scan: A nibabel image; or, with `affine`, an array [i, j, k].
        affine: 4x4 matrix from voxel index to RAS+ mm.

    Raises:
        ScanError: It is no single 3-D volume of real numbers.
        GridError: Its geometry is impossible.
    """
    from rma_mamba.scans import nifti

    return nifti.from_image(scan) if affine is None else nifti.from_array(scan, affine)


def write_mask(mask: Mask, path: str | os.PathLike[str]) -> None:
    """Write a mask as NIfTI on its scan's own grid: uint8 {0, 1}; equal masks give equal bytes.

    A mask of a NIfTI scan keeps affine, sform and qform codes, pixdim and units bit for bit; any other
    gets its affine with both codes 1 (scanner). The file appears complete or not at all; missing
    parent folders are made.

    Args:
        mask: The mask, with the header of the scan that it belongs to.
        path: Where to write; ends in .nii or .nii.gz.

    Raises:
        ConfigError: The path ends in anything else.
        GridError: The mask's grid is not that of its scan's header.
        ScanError: The file cannot be written.
    """
    out = _checked(path, "mask")
    from rma_mamba.scans import nifti

    nifti.write(mask, out)


def write_scan(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a scan as NIfTI on its own geometry; equal scans give equal bytes.

    Args:
        volume: The scan; values of other types than uint8, int16 or float32 are converted to one of these.
        path: Where to write; ends in .nii or .nii.gz.

    Raises:
        ConfigError: The path ends in anything else.
        ScanError: The file cannot be written.
    """
    out = _checked(path, "scan")
    from rma_mamba.scans import nifti

    nifti.write_volume(volume, out)


def _checked(path: str | os.PathLike[str], what: str) -> Path:
    out = Path(path)
    if not out.name.lower().endswith(MASK_SUFFIXES):
        raise ConfigError(
            f"the {what}'s path ends in neither .nii nor .nii.gz; expected one of them. "
            "Give an output path with one of these endings."
        )
    return out
