"""Phantoms are reproducible, and their true volume is known."""

import numpy as np
import pytest

from phantoms import COARSE, phantom
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.datasets.phantom.tissues import Tissue
from rma_mamba.errors import ConfigError


def test_the_seed_determines_the_voxels() -> None:
    one, again = (make_phantom(3, **COARSE) for _ in range(2))
    assert np.array_equal(one.volume.values, again.volume.values)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.labels, phantom(4).labels)


def test_the_true_volume_is_the_sum_of_its_voxels() -> None:
    made = phantom()
    inside = np.isin(made.labels, (Tissue.LIVER, Tissue.LIVER_VESSEL, Tissue.LESION))
    assert np.array_equal(inside, made.mask.labels > 0)
    assert made.mask.volume_ml == pytest.approx(inside.sum() * 3.6 * 3.6 * 6 / 1000)


def test_an_unknown_contrast_is_an_error() -> None:
    with pytest.raises(ConfigError, match="expected one of mr_t2, mr_t1, ct"):
        make_phantom(0, contrast="pet")  # type: ignore[arg-type]
