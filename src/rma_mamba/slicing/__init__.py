"""A scan becomes the slices that the network sees, and the network's logits become a mask of the scan.

    slices = to_slices(volume, recipe)         # float32 [slice, 3, height, width] in [0, 1]
    mask = to_mask(logits, recipe, volume)     # on the scan's own grid

`SliceStack` gives the same slices in batches, `SlicePlan` the geometry between the two grids.
"""

from rma_mamba.slicing.grid import SlicePlan
from rma_mamba.slicing.intensity import (
    IntensityScale,
    detect_modality,
    has_lost_its_intercept,
    with_intercept,
)
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.slicing.stack import SliceStack, to_mask, to_slices

__all__ = [
    "IntensityScale",
    "SlicePlan",
    "SliceRecipe",
    "SliceStack",
    "detect_modality",
    "has_lost_its_intercept",
    "to_mask",
    "to_slices",
    "with_intercept",
]
