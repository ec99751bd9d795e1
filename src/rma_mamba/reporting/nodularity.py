"""Nodularity: how uneven the surface of a mask is, compared with the same surface after smoothing.

Inspired by the liver surface nodularity score (Smith et al., Radiology 2016, 280:771), which also compares a surface
with a smooth one. It is not that score, which is measured in single high-resolution slices along selected parts of the
contour: published cut-offs do not apply. The ratio depends on the voxel size and on how smooth the network's contours
are; compare only scans of the same protocol.
"""

from __future__ import annotations

from rma_mamba.surface import SMOOTHING, Surface, surface_of
from rma_mamba.volume import Mask

# Cirrhotic nodules measure a few millimetres; this smoothing removes them but preserves the lobes.
COARSE_MM = 10.0

# Largest fine smoothing, as a fraction of the coarse one: larger voxels leave no detail to compare.
_MAX_SMOOTHING_RATIO = 0.4


def fine_smoothing_mm(mask: Mask) -> float:
    """Smoothing of the unmodified surface, which depends on the voxel size."""
    return SMOOTHING * max(mask.geometry.spacing_mm)


def nodularity_ratio(mask: Mask, surface: Surface) -> float | None:
    """Area of the surface divided by its area after smoothing by 10 mm at constant volume, minus 1.

    Near 0 for a sphere, and larger for an uneven surface. None if the mask is empty or too small for the
    smoothing, or if a voxel side exceeds 5 mm.
    """
    if fine_smoothing_mm(mask) > _MAX_SMOOTHING_RATIO * COARSE_MM or not len(surface.faces):
        return None
    # the smoothing would dissolve such a small mask
    if mask.volume_ml < (4 * COARSE_MM) ** 3 / 1000:
        return None
    return surface.area_mm2 / surface_of(mask, COARSE_MM).area_mm2 - 1
