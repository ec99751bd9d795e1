"""One trial of the whole path on a synthetic scan: file, volume, network, mask, file, picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.reporting import write_preview
from rma_mamba.scans import read_scan, write_mask, write_scan

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter


def run_trial(
    segmenter: Segmenter,
    contrast: Literal["mr_t2", "ct"],
    seed: int,
    folder: Path,
    progress: Callable[[int, int], None],
) -> tuple[float, float]:
    """True and measured liver volume of a phantom in mL; its files are left in `folder`."""
    phantom = make_phantom(seed, contrast=contrast)
    path = folder / f"{contrast}.nii.gz"
    write_scan(phantom.volume, path)
    volume = read_scan(path)
    result = segmenter(volume, progress=progress)
    write_mask(result.mask, folder / f"{contrast}_liver.nii.gz")
    write_preview(result.scan, result.mask, folder / f"{contrast}_preview.png")
    return phantom.mask.volume_ml, result.mask.volume_ml
