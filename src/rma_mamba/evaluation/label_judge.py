"""The bundled networks as judges of labels: what they see in a coarse volume of a few slices."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rma_mamba.datasets.audit import Judgement
from rma_mamba.volume import Volume

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter

_PIXEL_MM, _CANVAS = 3.0, 96  # a gross disagreement does not need more


def network_judge(volume: Volume) -> Judgement:
    """Liver and orientation according to the bundled networks, on the CPU.

    Args:
        volume: A coarse volume; without a modality its intensities are scaled by percentiles, as MR is.
    """
    from rma_mamba.inference.orientation import check_anatomy
    from rma_mamba.slicing import SliceStack, calibrated

    segmenter, scan = _segmenter(), calibrated(volume, volume.modality or "MR")
    anatomy = check_anatomy(SliceStack(scan, segmenter.recipe))
    return Judgement(segmenter(scan).mask.labels, anatomy.flipped)


@cache
def _segmenter() -> Segmenter:
    from rma_mamba.inference import Segmenter

    network = Segmenter.load(device="cpu", fast=True)
    return network.with_recipe(spacing_mm=_PIXEL_MM, size=_CANVAS)
