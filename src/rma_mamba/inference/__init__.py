"""Segment the liver in a scan with a trained network.

result = segment("scan.nii.gz")            # one scan
segmenter = Segmenter.load()               # many scans, one network in memory
result = segmenter("scan.nii.gz")
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from rma_mamba.inference.inputs import Scan
from rma_mamba.inference.segmentation import Segmentation
from rma_mamba.inference.segmenter import Segmenter
from rma_mamba.inference.streaming import Progress
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
    """Segment the liver in one scan; the network stays in memory for the next call.

    Args:
        scan: A path, a Volume, a nibabel or SimpleITK image, or an array [i, j, k] with its 4x4 affine (RAS+ mm). For a
            network with several channels, a dictionary of them by name.
        model: "default", the bundled network, or a weights file written by `rma-mamba train`.
        modality: CT or MR; None: read from the header, else detected from the intensities.
        device: auto, cpu, cuda or cuda:N.
        progress: Called with (slices done, total number of slices).
        keep_probabilities: Also return the probabilities, which take four bytes per voxel.

    Raises:
        ScanError: The scan cannot be read, or is not a 3-D volume.
        GridError: The geometry is invalid, the field of view is implausibly large, or channels are not aligned.
        WeightsError: The weights are missing, corrupt or do not fit the network.
        BackendError: The device cannot be used.
        ConfigError: The modality is neither CT nor MR, or the network does not have these channels.

    Example:
        >>> result = segment("scan.nii.gz", device="cpu")
        >>> print(f"{result.volume_ml:.0f} mL, quality {result.quality.light}")
    """
    return _cached_segmenter(str(model), device)(
        scan, modality=modality, progress=progress, keep_probabilities=keep_probabilities
    )


@lru_cache(maxsize=2)
def _cached_segmenter(model: str, device: str) -> Segmenter:
    return Segmenter.load(model, device=device)
