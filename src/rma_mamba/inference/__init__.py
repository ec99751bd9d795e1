"""From a scan to its mask with a trained network.

result = segment("scan.nii.gz")            # one scan
segmenter = Segmenter.load()               # many scans, one network in memory
result = segmenter("scan.nii.gz")
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from rma_mamba.inference.given import Scan
from rma_mamba.inference.segmenter import Progress, Segmentation, Segmenter
from rma_mamba.volume import Modality

__all__ = ["Segmentation", "Segmenter", "segment"]


def segment(
    scan: Scan,
    *,
    model: str | Path = "default",
    modality: Modality | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    keep_probabilities: bool = False,
) -> Segmentation:
    """Segment the liver in one scan; arguments and errors as of `Segmenter.load` and `Segmenter`.

    The network stays in memory for the next call.
    """
    return _loaded(str(model), device)(
        scan, modality=modality, progress=progress, keep_probabilities=keep_probabilities
    )


@lru_cache(maxsize=2)
def _loaded(model: str, device: str) -> Segmenter:
    return Segmenter.load(model, device=device)
