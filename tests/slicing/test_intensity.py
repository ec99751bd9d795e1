"""Grey values to [0, 1], and what kind of scan they come from."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rma_mamba.slicing import (
    IntensityScale,
    SliceRecipe,
    detect_modality,
    has_lost_its_intercept,
)
from rma_mamba.volume import Geometry, Modality, Volume

RECIPE = SliceRecipe()


def volume(values: np.ndarray, modality: Modality | None = None) -> Volume:
    return Volume(values, Geometry(values.shape, np.eye(4)), modality)


def hounsfield(air: int = -1000) -> np.ndarray:
    values = np.full((30, 30, 4), air, np.int16)
    values[5:25, 5:25] = np.random.default_rng(0).integers(-120, 300, (20, 20, 4))
    return values


def test_the_window_of_ct_becomes_zero_to_one() -> None:
    scale = IntensityScale.of_volume(volume(hounsfield(), "CT"), RECIPE)
    got = scale.apply(np.array([-2000, -160, 40, 240, 3000], np.int16))
    np.testing.assert_allclose(got, [0, 0, 0.5, 1, 1], atol=1e-6)
    assert got.dtype == np.float32


def test_neither_an_outlier_nor_the_air_around_changes_the_scale_of_mr() -> None:
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
def test_the_scanners_arbitrary_units_of_mr_do_not_matter(factor: float) -> None:
    values = np.random.default_rng(1).random((10, 10, 4)).astype(np.float32)
    one, other = values, (values * np.float32(factor))
    seen = [
        IntensityScale.of_volume(volume(each, "MR"), RECIPE).apply(each) for each in (one, other)
    ]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-4)


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("value", [0, 7, -1000])
def test_a_constant_scan_is_finite(modality: Modality, value: int) -> None:
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


@pytest.mark.parametrize(
    ("values", "modality"),
    [
        (hounsfield(), "CT"),
        (hounsfield(-2048), "CT"),
        (hounsfield().astype(np.float32), "CT"),
        (np.clip(hounsfield(), -160, 240) + 160, "MR"),
        (hounsfield(0).clip(0, 255).astype(np.uint8), "MR"),
        (np.random.default_rng(0).normal(300, 90, (20, 20, 5)).astype(np.float32), "MR"),
        (np.random.default_rng(0).normal(0, 60, (20, 20, 5)).astype(np.float32), "MR"),
        (hounsfield() + 1024, "MR"),  # told by `has_lost_its_intercept`
        (np.random.default_rng(0).normal(0, 1000, (20, 20, 5)).astype(np.int16), "MR"),
        (np.random.default_rng(0).integers(-1024, 900, (20, 20, 5)).astype(np.int16), "MR"),
        (np.full((4, 4, 4), np.nan, np.float32), "MR"),
        (np.zeros((0, 4, 4), np.int16), "MR"),
    ],
)
def test_the_modality_is_told_from_the_values(values: np.ndarray, modality: str) -> None:
    assert detect_modality(values) == modality


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        (hounsfield() + 1024, True),
        ((hounsfield() + 1024).astype(np.uint16), True),
        ((hounsfield() + 1024).astype(np.float32)[::-1].T, True),
        (hounsfield(), False),
        (np.random.default_rng(0).integers(0, 1500, (20, 20, 5)).astype(np.int16), False),
        (np.random.default_rng(0).normal(1000, 300, (20, 20, 5)).astype(np.float32), False),
        (np.full((4, 4, 4), 1024, np.int16), False),
    ],
)
def test_ct_without_its_intercept_is_told_from_the_values(values: np.ndarray, lost: bool) -> None:
    assert has_lost_its_intercept(values) == lost


def test_values_at_the_ends_of_float32_become_0_to_1_without_a_word() -> None:
    values = np.array([-3e38, 0, 3e38], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled = IntensityScale(-3e38, 3e38).apply(values)
    assert np.isfinite(scaled).all()
    assert scaled.min() >= 0
    assert scaled.max() <= 1
