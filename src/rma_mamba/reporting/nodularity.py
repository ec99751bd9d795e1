"""How uneven the surface of a mask is, relative to itself when smoothed.

The idea is that of the liver surface nodularity score (Smith et al., Radiology 2016, 280:771): compare a surface
with a smooth one. It is not that score, which is measured in single high-resolution slices along chosen
stretches of the contour: no published cut-off holds for this ratio. It depends on voxel size and
on how smooth the network draws, and compares scans of one protocol only.
"""

from __future__ import annotations

from rma_mamba.surface import SMOOTHING, Surface, surface_of
from rma_mamba.volume import Mask

# Nodules of cirrhosis measure some millimetres; this takes them away and leaves the lobes.
COARSE_MM = 10.0

# Of the coarse smoothing: with voxels that need more than this share there is no detail to compare.
_FINEST_SHARE = 0.4


def fine_smoothing_mm(mask: Mask) -> float:
    """The smoothing of the surface itself, which the voxel size dictates."""
    return SMOOTHING * max(mask.geometry.spacing_mm)


def nodularity_ratio(mask: Mask, surface: Surface) -> float | None:
    """Area of the surface divided by its area after smoothing by 10 mm at constant volume, minus 1.

    Near 0 for a ball, larger the more uneven. None for an empty mask, one too small for the smoothing, and
    where a voxel side is over 5 mm.
    """
    if fine_smoothing_mm(mask) > _FINEST_SHARE * COARSE_MM or not len(surface.faces):
        return None
    # a body that the smoothing would dissolve has no shape to compare
    if mask.volume_ml < (4 * COARSE_MM) ** 3 / 1000:
        return None
    return surface.area_mm2 / surface_of(mask, COARSE_MM).area_mm2 - 1
