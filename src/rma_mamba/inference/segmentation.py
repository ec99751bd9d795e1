"""The result of segmenting one scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rma_mamba.inference.uncertainty import Uncertainty, entropy_bits
from rma_mamba.reporting import Measurements, Quality, measure
from rma_mamba.reporting.mask_evidence import NO_EVIDENCE, MaskEvidence
from rma_mamba.slicing import CalibratedVolume
from rma_mamba.volume import Mask, Modality


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The liver found in a scan, as `segment` and `Segmenter` return it.

    Args:
        mask: The liver on the scan's own grid.
        scan: The scan as segmented: its modality is known, and CT is in HU where possible. Preview, measurements and
            report are made from it.
        warnings: Problems of the file and of the mask, one sentence each.
        probabilities: float32 (i, j, k) on the scan's grid, before anything was removed from the mask; or None.
        quality: Traffic-light rating with its flags.
        uncertainty: Agreement between TTA scales and between the network's maps, and the Dice estimated from it.
        removed_implausible_ml: Volume removed from the mask because it has the intensities of lung, gas, fat or bone.
        evidence: Evidence in the scan against the mask.
        squares: bool [slice, side, side], from inferior to superior, rows to posterior, columns to the left: the raw
            threshold of the probability of each slice, resampled from the network's canvas to side x side pixels and
            not post-processed; None unless requested.

    Example:
        >>> result = rma_mamba.segment("scan.nii.gz")
        >>> result.volume_ml, result.modality, result.quality.light
        (1512.3, 'CT', 'green')
    """

    mask: Mask
    scan: CalibratedVolume = field(repr=False)
    warnings: tuple[str, ...] = ()
    probabilities: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    quality: Quality = field(default_factory=Quality)
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    removed_implausible_ml: float = 0.0
    evidence: MaskEvidence = NO_EVIDENCE
    squares: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def modality(self) -> Modality:
        """ "CT" or "MR": as requested, else read from the header, else detected from the intensities."""
        return self.scan.modality

    @property
    def volume_ml(self) -> float:
        """Volume of the liver in millilitres; 0.0 if none was found."""
        return self.mask.volume_ml

    @cached_property
    def measurements(self) -> Measurements:
        """Volume, extent, and the faces of the scan that the liver reaches."""
        return measure(self.mask)

    @property
    def uncertainty_bits(self) -> npt.NDArray[np.float32] | None:
        """Voxel-wise entropy in bits: 0 is certain, 1 is undecided; None without probabilities."""
        return None if self.probabilities is None else entropy_bits(self.probabilities)
