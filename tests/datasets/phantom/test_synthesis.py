"""The synthetic abdomen: a liver of known volume, where a liver lies."""

import functools

import numpy as np
import pytest
from scipy import ndimage

from rma_mamba.datasets.phantom import CONTRASTS, Phantom, make_phantom
from rma_mamba.datasets.phantom.tissues import Tissue
from rma_mamba.errors import ConfigError
from rma_mamba.slicing.calibration import detect_modality

COARSE = {"shape": (96, 80, 36), "spacing_mm": (3.6, 3.6, 6.0)}


@functools.cache
def phantom(seed: int = 0, contrast: str = "mr_t2", randomise: bool = False) -> Phantom:
    return make_phantom(seed, contrast=contrast, randomise=randomise, **COARSE)


def centre_mm(made: Phantom, *tissues: Tissue) -> np.ndarray:
    """Centre of tissues in RAS+ mm."""
    index = np.argwhere(np.isin(made.labels, tissues)).mean(0)
    return made.volume.geometry.affine[:3, :3] @ index + made.volume.geometry.affine[:3, 3]


def test_equal_seeds_give_equal_voxels_and_others_do_not() -> None:
    one, twin = (make_phantom(3, **COARSE) for _ in range(2))
    assert np.array_equal(one.volume.values, twin.volume.values)
    assert np.array_equal(one.labels, twin.labels)
    assert not np.array_equal(one.labels, phantom(4).labels)


@pytest.mark.parametrize("seed", range(5))
def test_the_liver_has_the_volume_of_a_liver_in_one_piece(seed: int) -> None:
    mask = phantom(seed).mask
    assert 1000 < mask.volume_ml < 1900
    assert ndimage.label(mask.labels)[1] == 1


def test_the_true_volume_is_that_of_its_voxels() -> None:
    made = phantom()
    inside = np.isin(made.labels, (Tissue.LIVER, Tissue.LIVER_VESSEL, Tissue.LESION))
    assert np.array_equal(inside, made.mask.labels > 0)
    assert made.mask.volume_ml == pytest.approx(inside.sum() * 3.6 * 3.6 * 6 / 1000)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_organs_lie_where_they_lie_in_a_patient(contrast: str) -> None:
    made = phantom(1, contrast)
    liver, spleen = centre_mm(made, Tissue.LIVER), centre_mm(made, Tissue.SPLEEN)
    spine, lungs = centre_mm(made, Tissue.MARROW), centre_mm(made, Tissue.LUNG)
    assert liver[0] > 20
    assert spleen[0] < -50
    assert spine[1] < liver[1]
    assert lungs[2] > liver[2] + 40


@pytest.mark.parametrize("seed", range(3))
def test_the_chest_and_the_pelvis_hold_no_liver(seed: int) -> None:
    levels = phantom(seed).mask.labels.any(axis=(0, 1))
    assert levels.any()
    assert not levels[:3].any()
    assert not levels[-3:].any()


@pytest.mark.parametrize(
    ("contrast", "modality"), list(zip(CONTRASTS, ("MR", "MR", "CT"), strict=True))
)
@pytest.mark.parametrize("randomise", [False, True])
def test_the_values_tell_the_modality(contrast: str, modality: str, randomise: bool) -> None:
    assert detect_modality(phantom(2, contrast, randomise).volume.values) == modality


def test_at_random_the_liver_is_darker_or_brighter_than_the_spleen() -> None:
    ratios = []
    for seed in range(12):
        made = phantom(seed, "mr_t1", True)
        liver, spleen = (
            np.median(made.volume.values[made.labels == each])
            for each in (Tissue.LIVER, Tissue.SPLEEN)
        )
        ratios.append(liver / spleen)
    assert min(ratios) < 0.8
    assert max(ratios) > 1.3


def test_a_wrong_contrast_is_one_line() -> None:
    with pytest.raises(ConfigError, match="expected one of mr_t2, mr_t1, ct"):
        make_phantom(0, contrast="pet")  # type: ignore[arg-type]
