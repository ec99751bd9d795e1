"""Intensities to [0, 1]."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rma_mamba.slicing import CalibratedVolume, IntensityScale, SliceRecipe, calibrated
from rma_mamba.volume import Geometry, Modality, Volume

RECIPE = SliceRecipe()


def volume(values: np.ndarray, modality: Modality) -> CalibratedVolume:
    return calibrated(Volume(values, Geometry(values.shape, np.eye(4)), modality))


def hounsfield() -> np.ndarray:
    values = np.full((30, 30, 4), -1000, np.int16)
    values[5:25, 5:25] = np.random.default_rng(0).integers(-120, 300, (20, 20, 4))
    return values


def test_the_ct_window_becomes_zero_to_one() -> None:
    scale = IntensityScale.of_volume(volume(hounsfield(), "CT"), RECIPE)
    got = scale.apply(np.array([-2000, -160, 40, 240, 3000], np.int16))
    np.testing.assert_allclose(got, [0, 0, 0.5, 1, 1], atol=1e-6)
    assert got.dtype == np.float32


def test_neither_an_outlier_nor_surrounding_air_changes_the_scale_of_mr() -> None:
    random = np.random.default_rng(0)
    body = random.integers(200, 800, (20, 20, 6)).astype(np.int16)
    narrow, wide = (np.zeros((side, side, 6), np.int16) for side in (24, 60))
    narrow[2:22, 2:22] = body
    wide[20:40, 20:40] = body
    scales = [IntensityScale.of_volume(volume(each, "MR"), RECIPE) for each in (narrow, wide)]
    assert scales[0] == scales[1]
    wide[0, 0, 0] = 30000
    high = IntensityScale.of_volume(volume(wide, "MR"), RECIPE).high
    assert high == pytest.approx(scales[0].high, rel=0.02)


@given(factor=st.floats(0.01, 1000))
@settings(max_examples=20)
def test_mr_scaling_does_not_depend_on_the_units_of_the_scanner(factor: float) -> None:
    values = np.random.default_rng(1).random((10, 10, 4)).astype(np.float32)
    one, other = values, (values * np.float32(factor))
    seen = [
        IntensityScale.of_volume(volume(each, "MR"), RECIPE).apply(each) for each in (one, other)
    ]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-4)


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("value", [0, 7, -1000])
def test_a_constant_scan_stays_constant_and_finite(modality: Modality, value: int) -> None:
    values = np.full((5, 5, 5), value, np.int16)
    seen = IntensityScale.of_volume(volume(values, modality), RECIPE).apply(values)
    assert np.isfinite(seen).all()
    assert len(np.unique(seen)) == 1


def test_nan_becomes_zero() -> None:
    values = np.random.default_rng(1).random((6, 6, 6)).astype(np.float32)
    values[0] = np.nan
    seen = IntensityScale.of_volume(volume(values, "MR"), RECIPE).apply(values)
    assert (seen[0] == 0).all()
    assert seen.max() == 1


def test_values_at_the_limits_of_float32_become_0_to_1_without_a_warning() -> None:
    values = np.array([-3e38, 0, 3e38], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled = IntensityScale(-3e38, 3e38).apply(values)
    assert np.isfinite(scaled).all()
    assert scaled.min() >= 0
    assert scaled.max() <= 1


def test_headroom_keeps_what_is_brighter_than_the_percentile() -> None:
    levels = np.array([0, 25, 50, 100, 150, 200], np.float32)
    plain, roomy = IntensityScale(0, 100).apply(levels), IntensityScale(0, 100, 0.5).apply(levels)
    np.testing.assert_allclose(plain, [0, 0.25, 0.5, 1, 1, 1])
    np.testing.assert_allclose(roomy, [0, 0.25, 0.5, 0.75, 1, 1])
