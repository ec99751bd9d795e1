"""Nodularity: how uneven the surface of a mask is, compared with the same surface after smoothing.

Inspired by the liver surface nodularity score (Smith et al., Radiology 2016, 280:771), which also compares a surface
with a smooth one. It is not that score, which is measured in single high-resolution slices along selected parts of the
contour: published cut-offs do not apply. The ratio depends on the voxel size and on how smooth the network's contours
are; compare only scans of the same protocol.
"""

from __future__ import annotations

from rma_mamba.surface import SMOOTHING, Surface, surface_of
from rma_mamba.volume import Mask

# Cirrhotic nodules measure a few millimetres; this smoothing removes them and preserves the lobes.
COARSE_MM = 10.0

# Of the coarse smoothing: larger voxels leave no detail to compare.
_FINEST_SHARE = 0.4


def fine_smoothing_mm(mask: Mask) -> float:
    """Smoothing of the surface itself, which depends on the voxel size."""
    return SMOOTHING * max(mask.geometry.spacing_mm)


def nodularity_ratio(mask: Mask, surface: Surface) -> float | None:
    """Area of the surface divided by its area after smoothing by 10 mm at constant volume, minus 1.

    Near 0 for a ball, and larger for an uneven surface. None for a mask that is empty or too small for the
    smoothing, and if a voxel side exceeds 5 mm.
    """
    if fine_smoothing_mm(mask) > _FINEST_SHARE * COARSE_MM or not len(surface.faces):
        return None
    # a mask that the smoothing would dissolve has no shape to compare
    if mask.volume_ml < (4 * COARSE_MM) ** 3 / 1000:
        return None
    return surface.area_mm2 / surface_of(mask, COARSE_MM).area_mm2 - 1
