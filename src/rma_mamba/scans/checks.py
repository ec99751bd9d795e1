"""What every reader asks of a volume, whatever the file format."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Geometry

# 1024 x 1024 x 1024: twice a whole-body CT at full resolution. A header that claims more is damaged or hostile.
MAX_VOXELS = 2**30

# Voxels outside these sizes are hardly those of a body scan: wrong units, or a header that lies.
PLAUSIBLE_SPACING_MM = (0.1, 20.0)

# Cosine of the angle between voxel axes beyond which slices are visibly skewed (about 1 degree).
MAX_COSINE = 0.0175

CONSTANT = "All voxels have the same value: the scan is empty."


def check_size(shape: tuple[int, ...]) -> None:
    """Refuse a size that is no volume, before any memory is asked for.

    Raises:
        ScanError: Fewer than two axes have more than one voxel, or there are more than `MAX_VOXELS`.
    """
    size = " x ".join(str(length) for length in shape)
    if min(shape) < 1 or sum(length > 1 for length in shape) < 2:
        raise ScanError(
            f"the scan's size is {size} voxels; expected a 3-D volume of slices. "
            "Export the whole series as one volume."
        )
    if math.prod(shape) > MAX_VOXELS:
        raise ScanError(
            f"the scan claims {size} voxels; expected at most {MAX_VOXELS} in all. "
            "Crop or resample it, or repair its header."
        )


def check_frame(frame: int | None, count: int, differ: str = "") -> int:
    """The number of the volume to be read, from 1.

    Raises:
        ScanError: There are several, and none was named.
        ConfigError: There is none with this number.
    """
    if frame is None and count > 1:
        by = f" that differ in {differ}" if differ else ""
        raise ScanError(
            f"the scan holds {count} volumes{by}; expected one 3-D volume. "
            f"Choose one with --frame 1 to {count}, or --frame all."
        )
    if frame is not None and not 1 <= frame <= count:
        raise ConfigError(
            f"the frame is {frame}; expected 1 to {count}, the number of volumes in the scan. "
            "Choose one of these."
        )
    return frame or 1


def doubts(values: npt.NDArray[Any], geometry: Geometry) -> tuple[str, ...]:
    """Sentences on what is readable but hardly right: a constant image, odd voxel sizes, skewed axes."""
    found = []
    if values.min() == values.max():
        found.append(CONSTANT)
    low, high = PLAUSIBLE_SPACING_MM
    if not all(low <= size <= high for size in geometry.spacing_mm):
        spacing = " x ".join(f"{size:.4g}" for size in geometry.spacing_mm)
        found.append(
            f"The voxel size of {spacing} mm is implausible: check the header and its units."
        )
    axes = geometry.affine[:3, :3] / np.linalg.norm(geometry.affine[:3, :3], axis=0)
    if (
        max(abs(axes[:, a] @ axes[:, b]) for a, b in itertools.combinations(range(3), 2))
        > MAX_COSINE
    ):
        found.append("The voxel axes are not perpendicular: the slices are skewed in the body.")
    return tuple(found)


def require_source_images(source_images: SourceImages | None, output: str) -> SourceImages:
    """The DICOM images that a DICOM output refers to.

    Args:
        source_images: Those of a volume or mask.
        output: The output to be written, for the error.

    Raises:
        ConfigError: There are none: the scan is not DICOM.
    """
    if source_images is None:
        raise ConfigError(
            f"the scan is not DICOM, and {output} refers to DICOM images; expected a DICOM scan. "
            "Pass the DICOM series as the scan, or choose another output type."
        )
    return source_images
