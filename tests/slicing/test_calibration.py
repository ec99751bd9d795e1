"""The modality and the intensity unit of a scan are decided once."""

from dataclasses import replace

import numpy as np
import pytest

import rma_mamba.slicing.calibration as calibration_module
from rma_mamba.errors import ConfigError
from rma_mamba.slicing import CalibratedVolume, SliceRecipe, SliceStack, calibrated, to_slices
from rma_mamba.slicing.calibration import detect_modality, lacks_rescale_intercept
from rma_mamba.volume import Geometry, Modality, Volume


def volume(values: np.ndarray, modality: Modality | None = None) -> Volume:
    return Volume(values, Geometry(values.shape, np.eye(4)), modality)


def hounsfield(air: int = -1000) -> np.ndarray:
    values = np.full((30, 30, 4), air, np.int16)
    values[5:25, 5:25] = np.random.default_rng(0).integers(-120, 300, (20, 20, 4))
    return values


HU = hounsfield()
STORED = (HU + 1024).astype(np.uint16)
WINDOWED = ((HU.clip(-160, 240) + 160) / 400 * 255).astype(np.uint8)
SHIFTED_CT = HU.clip(-300, 240)  # below the window, but without air
PLAIN_MR = np.random.default_rng(0).normal(300, 90, (20, 20, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "header", "requested", "modality", "unit", "restored"),
    [
        (HU, "MR", None, "MR", "a.u.", False),
        (HU, "CT", "MR", "MR", "a.u.", False),
        (STORED, None, "mr", "MR", "a.u.", False),
        (HU, "CT", None, "CT", "HU", False),
        (HU, "MR", "ct", "CT", "HU", False),
        (STORED, "CT", None, "CT", "HU", True),
        (STORED, "MR", "CT", "CT", "HU", True),
        (SHIFTED_CT, "CT", None, "CT", "HU", False),
        (WINDOWED, "CT", None, "CT", "a.u.", False),
        (PLAIN_MR, None, "CT", "CT", "a.u.", False),
        (HU, None, None, "CT", "HU", False),
        (STORED, None, None, "CT", "HU", True),
        (WINDOWED, None, None, "MR", "a.u.", False),
        (PLAIN_MR, None, None, "MR", "a.u.", False),
    ],
)
def test_every_row_of_the_calibration_table_holds(
    values: np.ndarray,
    header: Modality | None,
    requested: str | None,
    modality: str,
    unit: str,
    restored: bool,
) -> None:
    given = replace(volume(values, header), warnings=("Read.",))
    found = calibrated(given, requested)
    assert (found.modality, found.intensity_unit) == (modality, unit)
    assert found.warnings[0] == "Read."
    assert len(found.warnings) == 1 + restored
    if restored:
        assert "1024 was subtracted" in found.warnings[1]
        assert np.array_equal(found.values, HU)
    else:
        assert found.values is given.values
    assert (found.geometry, found.header) == (given.geometry, given.header)


@pytest.mark.parametrize("header", [None, "CT"])
@pytest.mark.parametrize("padding", [-2000, -3024, -32768])
@pytest.mark.parametrize("air", [-1000, -120])
def test_padding_is_not_taken_for_air(padding: int, air: int, header: Modality | None) -> None:
    """As converters leave it, in HU and in stored values, around a body in air and around a body cut out."""
    inside = np.full((20, 20, 4), air, np.int16)
    inside[2:18, 2:18] = np.random.default_rng(0).integers(-120, 300, (16, 16, 4))
    padded = np.full((30, 30, 4), padding, np.int16)
    padded[5:25, 5:25] = inside
    found = calibrated(volume(padded, header))
    assert (found.modality, found.intensity_unit) == ("CT", "HU")
    assert np.array_equal(found.values[5:25, 5:25], inside)
    if air == -1000:
        padded[5:25, 5:25] = inside + 1024
        found = calibrated(volume(padded, header))
        assert (found.modality, found.intensity_unit) == ("CT", "HU")
        assert np.array_equal(found.values[5:25, 5:25], inside)
        assert found.values[0].max() < -1024


@pytest.mark.parametrize("values", [HU, STORED, WINDOWED, PLAIN_MR])
@pytest.mark.parametrize("modality", [None, "CT", "MR"])
def test_a_calibrated_scan_is_not_examined_again(
    values: np.ndarray, modality: Modality | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = calibrated(volume(values), modality)

    def fail(*_: object) -> None:
        raise AssertionError("the intensities were examined again")

    monkeypatch.setattr(calibration_module, "_looks_like_hu", fail)
    monkeypatch.setattr(calibration_module, "_extends_below_window", fail)
    assert calibrated(once) is once
    assert calibrated(once, once.modality) is once
    assert isinstance(once, CalibratedVolume)
    if modality != "MR":
        with pytest.raises(AssertionError, match="examined again"):
            calibrated(volume(values), modality)


def test_another_modality_can_be_requested_for_a_calibrated_scan() -> None:
    once = calibrated(volume(PLAIN_MR))
    assert calibrated(once, "CT").modality == "CT"


@pytest.mark.parametrize("wrong", ["PET", "", "CTA"])
def test_a_modality_that_is_neither_ct_nor_mr_is_an_error(wrong: str) -> None:
    with pytest.raises(ConfigError, match="expected CT or MR"):
        calibrated(volume(HU), wrong)


def test_the_network_sees_stored_ct_as_it_sees_the_same_ct_in_hu() -> None:
    recipe = SliceRecipe(size=32, spacing_mm=2.0)
    expected = to_slices(volume(HU, "CT"), recipe)
    assert np.array_equal(to_slices(volume(STORED), recipe), expected)
    assert SliceStack(volume(STORED), recipe).volume.modality == "CT"


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
        (hounsfield() + 1024, "MR"),  # `lacks_rescale_intercept` detects it
        (np.random.default_rng(0).normal(0, 1000, (20, 20, 5)).astype(np.int16), "MR"),
        (np.random.default_rng(0).integers(-1024, 900, (20, 20, 5)).astype(np.int16), "MR"),
        (np.full((4, 4, 4), np.nan, np.float32), "MR"),
        (np.zeros((0, 4, 4), np.int16), "MR"),
    ],
)
def test_the_modality_is_detected_from_the_intensities(values: np.ndarray, modality: str) -> None:
    assert detect_modality(values) == modality


@pytest.mark.parametrize(
    ("values", "lacks"),
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
def test_ct_without_its_rescale_intercept_is_detected(values: np.ndarray, lacks: bool) -> None:
    assert lacks_rescale_intercept(values) == lacks
