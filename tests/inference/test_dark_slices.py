"""Lung at the ends of a mask is removed in MR; dark livers, and slices that receive little signal, stay."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pytest

from public_scans import DATA, needs_public_scans
from rma_mamba.inference import Segmenter
from rma_mamba.inference.dark_slices import remove_dark_ends
from rma_mamba.scans import read_scan
from rma_mamba.slicing import SliceRecipe, calibrated
from rma_mamba.slicing.calibration import CalibratedVolume
from rma_mamba.volume import Geometry, Volume
from tiny import shift, tiny_network

SHAPE = (40, 36, 16)
LUNG, AIR, LIVER, BODY = 30, 8, 300, 400
LIVER_SLICES, LUNG_SLICES = slice(3, 11), slice(11, 14)
INSIDE = (slice(10, 24), slice(8, 22))


def values(liver: float = LIVER) -> np.ndarray[Any, Any]:
    """An MR of a body with a liver, and lung above it."""
    random = np.random.default_rng(0)
    found = np.full(SHAPE, float(AIR))
    found[4:36, 4:32] = BODY
    found[*INSIDE, LIVER_SLICES] = liver
    found[*INSIDE, LUNG_SLICES] = LUNG
    return found + random.normal(0, 4, SHAPE)


def mask(*slices: slice) -> np.ndarray[Any, Any]:
    labels = np.zeros(SHAPE, np.uint8)
    for each in slices:
        labels[*INSIDE, each] = 1
    return labels


def scan(content: Any, modality: Any = "MR", affine: Any = None) -> CalibratedVolume:
    grid = np.diag([2.0, 2.0, 6.0, 1.0]) if affine is None else affine
    return calibrated(Volume(content.astype(np.float32), Geometry(content.shape, grid), modality))


def test_lung_above_the_liver_is_removed() -> None:
    labels = mask(LIVER_SLICES, LUNG_SLICES)
    count = remove_dark_ends(labels, scan(values()))
    assert np.array_equal(labels, mask(LIVER_SLICES))
    assert count == mask(LUNG_SLICES).sum()
    assert remove_dark_ends(labels, scan(values())) == 0


@pytest.mark.parametrize("liver", [LUNG, 60, 900])
def test_a_liver_of_any_brightness_stays(liver: float) -> None:
    labels = mask(LIVER_SLICES)
    assert remove_dark_ends(labels, scan(values(liver))) == 0


def test_slices_that_receive_little_signal_stay() -> None:
    signal = np.ones(SHAPE[2])
    signal[[3, 10]] = 0.2
    labels = mask(LIVER_SLICES)
    assert remove_dark_ends(labels, scan((values() - AIR) * signal + AIR)) == 0


def test_a_dark_slice_within_the_mask_stays() -> None:
    content = values()
    content[*INSIDE, 6:8] = LUNG
    labels = mask(LIVER_SLICES)
    assert remove_dark_ends(labels, scan(content)) == 0


def test_liver_beside_large_bright_cysts_stays() -> None:
    content = values()
    content[10:24, 8:22, 4:11] *= 8
    content[:, :, 3] *= 0.7
    labels = mask(LIVER_SLICES)
    assert remove_dark_ends(labels, scan(content)) == 0


def test_without_air_in_the_scan_the_tip_stays() -> None:
    content = values()
    content[content < 120] = 120
    content[*INSIDE, 3] = 170
    labels = mask(LIVER_SLICES)
    assert remove_dark_ends(labels, scan(content)) == 0


def test_both_ends_are_treated_alike() -> None:
    content = values()[:, :, ::-1]
    labels = mask(LIVER_SLICES, LUNG_SLICES)[:, :, ::-1].copy()
    assert remove_dark_ends(labels, scan(content)) == mask(LUNG_SLICES).sum()


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0)])
def test_the_result_does_not_depend_on_the_axis_order(order: tuple[int, int, int]) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.diag([2.0, 2.0, -6.0])[:, order]
    labels = mask(LIVER_SLICES, LUNG_SLICES).transpose(order).copy()
    remove_dark_ends(labels, scan(values().transpose(order), affine=affine))
    assert np.array_equal(labels, mask(LIVER_SLICES).transpose(order))


def test_hounsfield_units_and_empty_masks_stay() -> None:
    content = values() - 1000
    content[:, :3] = -1000
    labels = mask(LIVER_SLICES, LUNG_SLICES)
    assert remove_dark_ends(labels, scan(content, "CT")) == 0
    assert remove_dark_ends(mask(), scan(values())) == 0


def test_a_mask_that_is_all_lung_stays_to_be_flagged() -> None:
    content = np.full(SHAPE, float(LUNG))
    labels = mask(LUNG_SLICES)
    assert remove_dark_ends(labels, scan(content)) == 0


def test_a_segmentation_says_what_was_removed() -> None:
    content = np.full(SHAPE, float(BODY))
    content[:28, :, LUNG_SLICES.start :] = LUNG
    network = tiny_network()
    shift(network, 1000)  # everything is liver
    segmenter = Segmenter(network, SliceRecipe(size=32, spacing_mm=2.0), island_share=0)
    result = segmenter(scan(content))
    slices = SHAPE[2] - LUNG_SLICES.start
    removed_ml = slices * SHAPE[0] * SHAPE[1] * 2 * 2 * 6 / 1000
    assert result.removed_implausible_ml == pytest.approx(removed_ml)
    assert "implausible_hu" in [flag.code for flag in result.quality.flags]
    assert result.mask.provenance is not None
    assert any("as lung" in text for text in result.mask.provenance.remarks.sentences)


@needs_public_scans
def test_reference_masks_stay_and_lung_above_them_is_removed() -> None:
    lung = removed = 0
    for path in sorted((DATA / "mr_t2_chaos" / "images").glob("*.nii.gz")):
        label = path.parents[1] / "labels" / path.name
        volume = calibrated(read_scan(path))
        reference = (np.asanyarray(nib.load(label).dataobj) == 1).astype(np.uint8)
        labels = reference.copy()
        assert remove_dark_ends(labels, volume) == 0, path.name
        last = np.flatnonzero(labels.any(axis=(0, 1)))[-1]
        labels[:, :, last + 1 : last + 3] = labels[:, :, last - 3, None]
        removed += remove_dark_ends(labels, volume)
        lung += labels.sum() - reference.sum()
    assert removed > 0.4 * (removed + lung)
