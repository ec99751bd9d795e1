"""Organs of the phantom are where they are in a patient."""

import pytest
from scipy import ndimage

from phantoms import centre_mm, phantom
from rma_mamba.datasets.phantom import CONTRASTS
from rma_mamba.datasets.phantom.tissues import Tissue


@pytest.mark.parametrize("seed", range(5))
def test_the_liver_has_a_realistic_volume_and_is_connected(seed: int) -> None:
    mask = phantom(seed).mask
    assert 1000 < mask.volume_ml < 1900
    assert ndimage.label(mask.labels)[1] == 1


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_organs_are_in_their_anatomical_positions(contrast: str) -> None:
    made = phantom(1, contrast)
    liver, spleen = centre_mm(made, Tissue.LIVER), centre_mm(made, Tissue.SPLEEN)
    spine, lungs = centre_mm(made, Tissue.MARROW), centre_mm(made, Tissue.LUNG)
    assert liver[0] > 20
    assert spleen[0] < -50
    assert spine[1] < liver[1]
    assert lungs[2] > liver[2] + 40


@pytest.mark.parametrize("seed", range(3))
def test_chest_and_pelvis_contain_no_liver(seed: int) -> None:
    levels = phantom(seed).mask.labels.any(axis=(0, 1))
    assert levels.any()
    assert not levels[:3].any()
    assert not levels[-3:].any()
