"""Copies of a scan are recognised although no slice is identical; the scans of other patients are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from audits import audited
from layouts import AFFINE, save
from rma_mamba.datasets.audit.patches import largest_patches

Array = np.ndarray


def _patient(seed: int) -> tuple[Array, Array]:
    """A scan with texture, and its liver."""
    random = np.random.default_rng(seed)
    shape = (64, 60, 8)
    texture = ndimage.gaussian_filter(random.normal(0, 1, shape), (2, 2, 1)) * 900
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    middle = np.array([26, 30, 4]) + random.uniform(-2, 2, 3)
    liver = (((grid - middle) / (18, 20, 3.4)) ** 2).sum(axis=-1) < 1
    return (300 + texture + 300 * liver).astype(np.int16), liver.astype(np.uint8)


def _cropped(image: Array, label: Array) -> tuple[Array, Array]:
    return image[2:60, 5:56], label[2:60, 5:56]


def _resampled(image: Array, label: Array) -> tuple[Array, Array]:
    zoom = (0.8, 0.8, 1)
    return ndimage.zoom(image, zoom, order=1), ndimage.zoom(label, zoom, order=0)


def _brighter(image: Array, label: Array) -> tuple[Array, Array]:
    return (image * 2 + 100).astype(np.int16), label


def _mirrored(image: Array, label: Array) -> tuple[Array, Array]:
    return image[::-1], label[::-1]


def _turned(image: Array, label: Array) -> tuple[Array, Array]:
    return (image.transpose(1, 0, 2)[::-1] * 2).astype(np.int16), label.transpose(1, 0, 2)[::-1]


def _fewer_slices(image: Array, label: Array) -> tuple[Array, Array]:
    return _brighter(image[:, :, 3:], label[:, :, 3:])


@pytest.mark.parametrize(
    "copy", [_cropped, _resampled, _brighter, _mirrored, _turned, _fewer_slices]
)
def test_a_copy_of_another_patient_is_an_error(
    tmp_path: Path, copy: Callable[[Array, Array], tuple[Array, Array]]
) -> None:
    cases = [_patient(seed) for seed in range(5)]
    cases[4] = copy(*cases[1])
    for n, pair in enumerate(cases):
        for kind, values in zip(("images", "labels"), pair, strict=True):
            save(tmp_path / kind / f"case_{n}.nii.gz", values, AFFINE)
    errors = [each for each in audited("folders", tmp_path).errors if "duplicate" in each.kind]
    assert [set(error.cases) for error in errors] == [{"case_1", "case_4"}]


def test_a_lesion_in_the_same_place_of_two_patients_is_no_copy(tmp_path: Path) -> None:
    for n in range(3):
        random = np.random.default_rng(n)
        image, label = _patient(0)
        noisy = 300 + 300.0 * label + random.normal(0, 60, image.shape)
        noisy[18:30, 24:36] -= 300
        save(tmp_path / "images" / f"case_{n}.nii.gz", noisy.astype(np.int16), AFFINE)
        label[n, 30, 4] = 1  # no identical labels
        save(tmp_path / "labels" / f"case_{n}.nii.gz", label, AFFINE)
    assert not [each for each in audited("folders", tmp_path).findings if "dupl" in each.kind]


def test_patches_are_of_the_largest_slices_and_small_labels_have_none() -> None:
    image, label = _patient(0)
    patches = largest_patches([image], [label])
    assert [patch.shape for patch in patches] == [(24 * 24,)] * 3
    assert np.allclose([np.linalg.norm(patch) for patch in patches], 1, atol=1e-5)
    assert largest_patches([image], [label * (np.arange(60) < 5)[:, None].astype(np.uint8)]) == ()
