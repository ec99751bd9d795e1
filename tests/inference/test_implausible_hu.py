"""Lung, gas, fat and bone at the border of a mask are removed in CT in HU; treated liver and everything else stays."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from rma_mamba.inference import Segmenter
from rma_mamba.inference.implausible_hu import LIMITS, remove_implausible
from rma_mamba.reporting.quality_checks import assess
from rma_mamba.slicing import SliceRecipe, calibrated
from rma_mamba.slicing.calibration import CalibratedVolume
from rma_mamba.volume import Geometry, Mask, Volume
from tiny import shift, tiny_network

SHAPE = (60, 64, 30)  # i, j, k; 2 mm in plane, 3 mm slices
SPACING_MM = (2.0, 2.0, 3.0)
AIR, LUNG, FAT, LIVER, BONE = -1000, -850, -100, 60, 900
BODY = (slice(4, 56), slice(4, 60), slice(None))
ORGAN = (slice(12, 40), slice(14, 46), slice(4, 20))
ABOVE = (slice(12, 40), slice(14, 46), slice(20, 28))


def body(noise_hu: float = 15.0) -> np.ndarray[Any, Any]:
    """HU of a body with a liver, lung above it, a rib beside it, and noise."""
    values = np.full(SHAPE, AIR, np.float64)
    values[BODY] = 40
    values[:, 50:60] = np.where(values[:, 50:60] > AIR, FAT, AIR)
    values[ABOVE] = LUNG
    values[ORGAN] = LIVER
    values[6:12, 14:46, 4:20] = BONE
    return values + np.random.default_rng(0).normal(0, noise_hu, SHAPE)


def scan(values: Any, modality: Any = "CT") -> CalibratedVolume:
    geometry = Geometry(values.shape, np.diag([*SPACING_MM, 1.0]))
    return calibrated(Volume(values.astype(np.float32), geometry, modality))


def mask_of(*boxes: tuple[slice, ...]) -> np.ndarray[Any, Any]:
    labels = np.zeros(SHAPE, np.uint8)
    for box in boxes:
        labels[box] = 1
    return labels


def left(values: Any, labels: Any, modality: Any = "CT") -> np.ndarray[Any, Any]:
    after = labels.copy()
    count = remove_implausible(after, scan(values, modality)).removed
    assert count == labels.sum() - after.sum()
    assert not (after > labels).any()
    return after


@pytest.mark.parametrize("noise_hu", [0, 15, 40])
def test_a_good_mask_is_unchanged(noise_hu: float) -> None:
    labels = mask_of(ORGAN)
    assert (left(body(noise_hu), labels) == labels).all()


@pytest.mark.parametrize("noise_hu", [0, 15, 40])
def test_lung_in_the_mask_is_removed_however_deep(noise_hu: float) -> None:
    after = left(body(noise_hu), mask_of(ORGAN, ABOVE))
    assert after[ABOVE].mean() < 0.001
    assert after[ORGAN].mean() > 0.99


def test_fat_is_removed_but_not_a_severely_fatty_liver() -> None:
    values, beside = body(), (slice(12, 40), slice(40, 56), slice(4, 20))
    values[beside] += FAT - LIVER
    after = left(values, mask_of(ORGAN, beside))
    assert after[beside].mean() < 0.02
    values = body()
    values[ORGAN] -= LIVER + 40  # the mean of the most severe steatosis
    assert left(values, mask_of(ORGAN)).sum() > 0.98 * mask_of(ORGAN).sum()


@pytest.mark.parametrize("liver_hu", [-20, 0, 60])
def test_noise_of_low_dose_that_extends_over_several_voxels_does_not_erode_a_liver(
    liver_hu: int,
) -> None:
    spacing_mm = (0.8, 0.8, 5.0)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(200, 200, 12)), (1, 1, 0))
    values = np.full(noise.shape, float(AIR))
    values[10:190, 10:190] = 40
    values[40:160, 40:160, 2:10] = liver_hu
    values += 60 * noise / noise.std()
    labels = np.zeros(noise.shape, np.uint8)
    labels[40:160, 40:160, 2:10] = 1
    geometry = Geometry(noise.shape, np.diag([*spacing_mm, 1.0]))
    volume = calibrated(Volume(values.astype(np.float32), geometry, "CT"))
    assert remove_implausible(labels, volume).removed < 0.005 * labels.sum()


def test_lung_that_a_rim_of_the_mask_encloses_is_counted() -> None:
    values = body()
    values[16:36, 18:42, 8:16] = LUNG
    labels = mask_of(ORGAN)
    found = remove_implausible(labels, scan(values))
    assert found.removed == 0
    assert found.enclosed == pytest.approx(20 * 24 * 8, rel=0.1)


def test_a_thin_layer_of_partial_volume_stays() -> None:
    values = body(0)
    values[12, 14:46, 4:20] = -120  # one voxel, one fifth of it lung
    values[13, 14:46, 4:20] = LIVER
    assert (left(values, mask_of(ORGAN)) == mask_of(ORGAN)).all()


def test_a_rib_at_the_border_is_removed() -> None:
    rib = (slice(9, 12), slice(14, 46), slice(4, 20))  # the half of it that is in the mask
    after = left(body(), mask_of(ORGAN, rib))
    assert after[rib].mean() < 0.01
    assert after[ORGAN].mean() > 0.99


@pytest.mark.parametrize(
    ("name", "hu", "where"),
    [
        ("gas in an ablation zone", -400, (slice(20, 28), slice(22, 30), slice(8, 14))),
        ("Lipiodol at the capsule", 1200, (slice(32, 40), slice(22, 30), slice(8, 14))),
        ("a clip", 3000, (slice(22, 24), slice(22, 24), slice(8, 10))),
        (
            "a stent that does not leave the liver",
            700,
            (slice(20, 24), slice(20, 24), slice(4, 20)),
        ),
        ("contrast agent in veins", 380, (slice(20, 26), slice(14, 40), slice(8, 12))),
    ],
)
def test_treated_liver_stays(name: str, hu: int, where: Any) -> None:
    values = body()
    values[where] = hu
    assert (left(values, mask_of(ORGAN)) == mask_of(ORGAN)).all(), name


def test_bright_vessels_keep_what_lies_deeper_than_a_rib() -> None:
    values = body()
    values[14:40, 28:31, 10:12] = 600
    values[40:46, 28:31, 10:12] = 600  # a vein with contrast agent that leaves the liver
    after = left(values, mask_of(ORGAN))
    deep = int(LIMITS.bone_depth_mm / 2) + 1
    assert after[12 : 40 - deep, 28:31, 10:12].all()


def test_a_region_that_winds_up_and_down_is_followed() -> None:
    values = body()
    values[20:24, 18:42, 16:20] = LUNG  # opens above, ...
    values[20:24, 18:22, 8:16] = LUNG
    values[20:24, 18:42, 8:10] = LUNG
    values[20:24, 38:42, 8:14] = LUNG  # ... goes down, aside and up again
    after = left(values, mask_of(ORGAN))
    assert after[21:23, 39:41, 11:13].mean() == 0


@pytest.mark.parametrize(
    "values",
    [
        np.clip(body() / 4 + 50, 0, 255),  # an 8-bit window
        np.clip(body(), -160, 240),  # a window in HU
        body() + 300,  # calibrated wrongly
        body() - 300,
    ],
    ids=["8 bits", "window", "shifted up", "shifted down"],
)
def test_nothing_is_removed_where_the_values_are_not_hu(values: Any) -> None:
    labels = mask_of(ORGAN, ABOVE)
    assert (left(values, labels) == labels).all()


def test_nothing_is_removed_from_mr_or_an_empty_mask() -> None:
    labels = mask_of(ORGAN, ABOVE)
    assert (left(body(), labels, "MR") == labels).all()
    assert not left(body(), mask_of()).any()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_result_does_not_depend_on_the_axis_order(order: tuple[int, ...]) -> None:
    labels, values = mask_of(ORGAN, ABOVE, (slice(9, 12), *ORGAN[1:])), body()
    expected = left(values, labels)
    affine = np.diag([*SPACING_MM, 1.0])[:, [*order, 3]]
    affine[:, 1] *= -1  # and one axis reversed
    affine[:3, 3] -= affine[:3, 1] * (SHAPE[order[1]] - 1)
    turned = values.transpose(order)[:, ::-1].astype(np.float32)
    volume = calibrated(Volume(turned, Geometry(turned.shape, affine), "CT"))
    after = labels.transpose(order)[:, ::-1].copy()
    remove_implausible(after, volume)
    np.testing.assert_array_equal(after[:, ::-1], expected.transpose(order))


def test_memory_does_not_grow_beyond_one_byte_per_voxel_of_the_mask() -> None:
    values = np.repeat(body().astype(np.int16), 8, axis=2)
    geometry = Geometry(values.shape, np.diag([*SPACING_MM, 1.0]))
    volume = calibrated(Volume(values, geometry, "CT"))
    labels = np.repeat(mask_of(ORGAN, ABOVE), 8, axis=2)
    box = 30 * 34 * 194
    tracemalloc.start()
    assert remove_implausible(labels, volume).removed
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * box + 60 * values[:, :, 0].size


@pytest.mark.parametrize(
    ("share", "severity"), [(0.0, None), (0.01, None), (0.05, "yellow"), (0.4, "red")]
)
def test_many_removed_voxels_are_flagged(share: float, severity: str | None) -> None:
    volume = scan(body())
    mask = Mask(mask_of(ORGAN), volume.geometry)
    found = assess(volume, mask, (-160, 240), implausible_share=share).flags
    flags = [flag for flag in found if flag.code == "implausible_hu"]
    assert [flag.severity for flag in flags] == ([severity] if severity else [])


def test_a_segmentation_says_what_was_removed() -> None:
    network = tiny_network()
    shift(network, 1000)  # everything is liver
    segmenter = Segmenter(network, SliceRecipe(size=32, spacing_mm=4.0), island_share=0)
    result = segmenter(scan(body()))
    total_ml = np.prod(SHAPE) * np.prod(SPACING_MM) / 1000
    assert result.removed_implausible_ml > 0.3 * total_ml
    assert result.volume_ml + result.removed_implausible_ml == pytest.approx(total_ml)
    assert result.quality.light == "red"
    assert "implausible_hu" in [flag.code for flag in result.quality.flags]
