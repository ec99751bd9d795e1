"""Conversion of a scan to network input slices, and of logits to a mask on the scan's own grid.

    scan = calibrated(volume)                  # modality and unit of the intensities, decided once
    slices = to_slices(scan, recipe)           # float32 [slice, 3, height, width] in [0, 1]
    mask = to_mask(logits, recipe, scan)       # on the scan's own grid

`SliceStack` computes the same slices in batches; `SlicePlan` maps between the two grids.
"""

from rma_mamba.slicing.calibration import CalibratedVolume, calibrated
from rma_mamba.slicing.grid import SlicePlan
from rma_mamba.slicing.intensity_scale import IntensityScale
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.slicing.stack import SliceStack, to_mask, to_slices

__all__ = [
    "CalibratedVolume",
    "IntensityScale",
    "SlicePlan",
    "SliceRecipe",
    "SliceStack",
    "calibrated",
    "to_mask",
    "to_slices",
]
