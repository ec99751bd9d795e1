"""Images in memory become volumes with the same checks as files."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pytest

from nifti_files import OBLIQUE, RAMP, image_of
from rma_mamba.errors import GridError, ScanError
from rma_mamba.scans import volume_from_memory
from rma_mamba.scans.nifti_grid import GridHeader


@pytest.mark.parametrize("version", [1, 2])
def test_the_mask_of_a_nifti_image_inherits_its_grid_header(version: int) -> None:
    image = image_of(version=version)
    volume = volume_from_memory(image)
    assert np.array_equal(volume.values, RAMP)
    assert np.array_equal(volume.geometry.affine, image.get_sform())
    assert isinstance(volume.header, GridHeader)
    assert volume.header.sizeof_hdr == int(image.header["sizeof_hdr"])


def test_a_header_that_contradicts_an_edited_affine_is_not_inherited() -> None:
    image = image_of()
    image.affine[0, 3] += 0.01
    volume = volume_from_memory(image)
    assert volume.header is None
    assert np.array_equal(volume.geometry.affine, image.affine)


def test_other_nibabel_images_have_no_grid_header() -> None:
    volume = volume_from_memory(nib.MGHImage(RAMP.astype(np.float32), OBLIQUE))
    assert volume.header is None
    assert np.array_equal(volume.values, RAMP)


def test_an_array_is_not_modified() -> None:
    values = RAMP.astype(">f4")
    values[0, 0, 0] = np.nan
    volume = volume_from_memory(values, OBLIQUE)
    assert np.isfinite(volume.values).all()
    assert np.isnan(values[0, 0, 0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (RAMP[0], "three axes"),
        (RAMP.astype(complex), "real numbers"),
        (np.stack([RAMP, RAMP], -1), "three axes"),
        (RAMP[:, :1, :1], "3-D volume"),
    ],
)
def test_arrays_that_are_not_one_volume_of_real_numbers_are_rejected(
    values: Any, words: str
) -> None:
    with pytest.raises(ScanError, match=words):
        volume_from_memory(values, OBLIQUE)


def test_an_affine_that_is_not_finite_is_rejected() -> None:
    with pytest.raises(GridError, match="finite"):
        volume_from_memory(RAMP, OBLIQUE * np.nan)
