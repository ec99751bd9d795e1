"""A demo case: run the whole pipeline on a phantom, from the scan file to mask and preview."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.pipeline.case import segment_case
from rma_mamba.pipeline.messages import Progress, ignore_progress
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.scans import write_scan

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter


@dataclass(frozen=True)
class DemoResult:
    """True and measured liver volume of a phantom."""

    true_ml: float
    measured_ml: float

    @property
    def relative_error(self) -> float:
        """(measured - true) / true."""
        return self.measured_ml / self.true_ml - 1


def run_demo_case(
    segmenter: Segmenter,
    contrast: Literal["mr_t2", "ct"],
    folder: Path,
    *,
    seed: int = 0,
    progress: Progress = ignore_progress,
) -> DemoResult:
    """Segment a phantom; scan, mask and preview are written to `folder`."""
    phantom = make_phantom(seed, contrast=contrast)
    scan = folder / f"{contrast}.nii.gz"
    write_scan(phantom.volume, scan)
    completed = segment_case(
        scan,
        folder / f"{contrast}_liver.nii.gz",
        SegmentRequest(outputs=("nifti", "preview")),
        segmenter=segmenter,
        progress=progress,
    )
    return DemoResult(phantom.mask.volume_ml, completed.volume_ml or 0.0)
