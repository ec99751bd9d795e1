"""Checks shared by the readers and writers of all file formats."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Geometry

# 1024 x 1024 x 1024: twice a whole-body CT at full resolution. A larger size means a corrupt or malicious header.
MAX_VOXELS = 2**30

# Voxel sizes outside this range are implausible for a body scan: wrong units or a wrong header.
PLAUSIBLE_SPACING_MM = (0.1, 20.0)

# Largest cosine of the angle between two voxel axes (about 1 degree off perpendicular) without a warning.
MAX_COSINE = 0.0175

CONSTANT = "All voxels have the same value: the scan is empty."


def check_size(shape: tuple[int, ...]) -> None:
    """Reject a size that is not a plausible volume, before any memory is allocated.

    Raises:
        ScanError: Fewer than two axes have more than one voxel, or there are more than `MAX_VOXELS`.
    """
    size = " x ".join(str(length) for length in shape)
    if min(shape) < 1 or sum(length > 1 for length in shape) < 2:
        raise ScanError(
            f"the size of the scan is {size} voxels; expected a 3-D volume of slices. "
            "Export the whole series as one volume."
        )
    if math.prod(shape) > MAX_VOXELS:
        raise ScanError(
            f"the header declares {size} voxels; expected at most {MAX_VOXELS} in total. "
            "Crop or resample the scan, or correct its header."
        )


def check_volume_number(volume: int | None, count: int, differing: str = "") -> int:
    """The number of the volume to read, counted from 1.

    Args:
        volume: The requested number; None if there should be only one volume.
        count: Number of volumes in the scan.
        differing: What the volumes differ in ("echo time"), for the error.

    Raises:
        ScanError: There are several volumes, and none was requested.
        ConfigError: The requested volume does not exist.
    """
    if volume is None and count > 1:
        detail = f" that differ in {differing}" if differing else ""
        raise ScanError(
            f"the scan contains {count} volumes{detail}; expected one 3-D volume. "
            f"Select one with --volume 1 to {count}, or use --volume all."
        )
    if volume is not None and count == 1 and volume != 1:
        raise ConfigError(
            f"the scan has one volume, not {volume}; expected no volume number. Omit --volume."
        )
    if volume is not None and not 1 <= volume <= count:
        raise ConfigError(
            f"volume {volume} does not exist; expected 1 to {count}, the number of volumes in the scan. "
            "Select one of these."
        )
    return volume or 1


def plausibility_warnings(values: npt.NDArray[Any], geometry: Geometry) -> tuple[str, ...]:
    """Warnings about a volume that is valid but suspicious: constant, odd voxel size, or skewed axes."""
    warnings = []
    if values.min() == values.max():
        warnings.append(CONSTANT)
    low, high = PLAUSIBLE_SPACING_MM
    if not all(low <= size <= high for size in geometry.spacing_mm):
        spacing = " x ".join(f"{size:.4g}" for size in geometry.spacing_mm)
        warnings.append(
            f"The voxel size of {spacing} mm is implausible: check the header and its units."
        )
    axes = geometry.affine[:3, :3] / np.linalg.norm(geometry.affine[:3, :3], axis=0)
    cosines = (abs(axes[:, a] @ axes[:, b]) for a, b in itertools.combinations(range(3), 2))
    if max(cosines) > MAX_COSINE:
        warnings.append("The voxel axes are not perpendicular: the volume is sheared.")
    return tuple(warnings)


def require_source_images(source_images: SourceImages | None, output: str) -> SourceImages:
    """The DICOM images that a DICOM output refers to.

    Args:
        source_images: The source images of a volume or mask.
        output: The output to be written, for the error.

    Raises:
        ConfigError: There are none, because the scan is not DICOM.
    """
    if source_images is None:
        raise ConfigError(
            f"the scan is not DICOM, and {output} refers to DICOM images; expected a DICOM scan. "
            "Pass the DICOM series as the scan, or choose another output type."
        )
    return source_images


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turn errors of the file system into a ScanError without the path.

    Args:
        what: What is read: "scan", "mask".
    """
    try:
        yield
    except OSError as error:
        raise ScanError(
            f"the {what} cannot be opened ({error.strerror or 'input/output error'}); "
            "expected a readable file or folder. Check the path and its permissions."
        ) from error
