"""Intensities of the phantom have the contrast of CT and MR."""

import numpy as np
import pytest

from phantoms import phantom
from rma_mamba.datasets.phantom import CONTRASTS, make_phantom
from rma_mamba.datasets.phantom.tissues import Tissue
from rma_mamba.slicing.calibration import detect_modality

SMALL = {"shape": (48, 40, 18), "spacing_mm": (7.2, 7.2, 12.0)}


@pytest.mark.parametrize(
    ("contrast", "modality"), list(zip(CONTRASTS, ("MR", "MR", "CT"), strict=True))
)
@pytest.mark.parametrize("randomise", [False, True])
def test_the_modality_is_detected_from_the_intensities(
    contrast: str, modality: str, randomise: bool
) -> None:
    assert detect_modality(phantom(2, contrast, randomise).volume.values) == modality


def test_randomised_livers_are_darker_or_brighter_than_the_spleen() -> None:
    ratios = []
    for seed in range(12):
        made = make_phantom(seed, contrast="mr_t1", randomise=True, **SMALL)
        liver, spleen = (
            np.median(made.volume.values[made.labels == each])
            for each in (Tissue.LIVER, Tissue.SPLEEN)
        )
        ratios.append(liver / spleen)
    assert min(ratios) < 0.8
    assert max(ratios) > 1.3
