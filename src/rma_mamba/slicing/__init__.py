"""Conversion of a scan to network input slices, and of logits to a mask on the scan's own grid.

    scan = calibrated(volume)                  # modality and unit of the intensities, decided once
    slices = to_slices(scan, recipe)           # float32 [slice, 3, height, width] in [0, 1]
    mask = to_mask(logits, recipe, scan)       # on the scan's own grid

`SliceStack` computes the same slices in batches; `SlicePlan` maps between the two grids.
"""

from typing import TYPE_CHECKING

from rma_mamba.deprecation import renamed_attributes
from rma_mamba.slicing.aligned_scans import joined
from rma_mamba.slicing.calibration import CalibratedVolume, calibrated
from rma_mamba.slicing.grid import SlicePlan
from rma_mamba.slicing.intensity_scale import IntensityScale
from rma_mamba.slicing.recipe import Intensity, SliceRecipe
from rma_mamba.slicing.stack import SliceStack, to_mask, to_slices

__all__ = [
    "CalibratedVolume",
    "Intensity",
    "IntensityScale",
    "SlicePlan",
    "SliceRecipe",
    "SliceStack",
    "calibrated",
    "joined",
    "to_mask",
    "to_slices",
]

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "detect_modality": "calibration.detect_modality",
            "has_lost_its_intercept": "calibration.lacks_rescale_intercept",
            "with_intercept": "calibration.restore_rescale_intercept",
        },
    )
