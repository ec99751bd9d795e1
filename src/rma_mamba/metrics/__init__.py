"""Agreement of masks with their references, and statistics over many scores. NumPy and SciPy only.

>>> score = score_volume(reference, prediction, spacing_mm)  # primary metrics: one volume, in mm
>>> paper_per_slice(to_paper_size(reference_slice), to_paper_size(prediction_slice))  # the paper's metrics
"""

from rma_mamba.metrics.bootstrap import RESAMPLES, bootstrap_interval
from rma_mamba.metrics.overlap import (
    EmptyCase,
    Overlap,
    dice,
    f2,
    iou,
    overlap,
    precision,
    recall,
)
from rma_mamba.metrics.paper_protocol import (
    PAPER_SIZE,
    paper_per_slice,
    row_distance_paper,
    to_paper_size,
)
from rma_mamba.metrics.statistics import (
    Summary,
    holm,
    paired_wilcoxon,
    summarise_values,
)
from rma_mamba.metrics.surface_distance import (
    TOLERANCE_MM,
    SurfaceDistances,
    average_surface_distance_mm,
    hausdorff95_mm,
    hausdorff_mm,
    surface_dice,
    surface_distances,
)
from rma_mamba.metrics.volume_score import VolumeScore, score_volume

__all__ = [
    "PAPER_SIZE",
    "RESAMPLES",
    "TOLERANCE_MM",
    "EmptyCase",
    "Overlap",
    "Summary",
    "SurfaceDistances",
    "VolumeScore",
    "average_surface_distance_mm",
    "bootstrap_interval",
    "dice",
    "f2",
    "hausdorff95_mm",
    "hausdorff_mm",
    "holm",
    "iou",
    "overlap",
    "paired_wilcoxon",
    "paper_per_slice",
    "precision",
    "recall",
    "row_distance_paper",
    "score_volume",
    "summarise_values",
    "surface_dice",
    "surface_distances",
    "to_paper_size",
]
