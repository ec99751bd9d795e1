"""Slices that lack elements of the pixel module are read if there is only one meaning, else the element is named."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid

from dicom_series import (
    SLICES,
    assign,
    edited,
    enhanced,
    pixels_of,
    remove,
    save,
    series,
    stored,
)
from rma_mamba.errors import ScanError
from rma_mamba.scans import read_scan

EXPECTED = stored().transpose(2, 1, 0) - 1024
ASSUMED = {
    "PhotometricInterpretation": "MONOCHROME2",
    "SamplesPerPixel": "1",
    "BitsStored": "BitsAllocated",
    "PixelRepresentation": "0",
}


@pytest.mark.parametrize("keyword", ASSUMED)
def test_an_element_that_every_slice_lacks_is_assumed_with_a_warning(
    tmp_path: Path, keyword: str
) -> None:
    volume = read_scan(save(tmp_path, edited(remove(keyword))))
    assert np.array_equal(volume.values, EXPECTED)
    assert volume.warnings == (
        f"{keyword} is missing in 6 of 6 slices: {ASSUMED[keyword]} was assumed.",
    )


@pytest.mark.parametrize("keyword", ASSUMED)
@pytest.mark.parametrize("edit", [remove, lambda word, which: assign(word, None, which)])
def test_one_slice_is_not_dropped_for_an_element_that_the_others_have(
    tmp_path: Path, keyword: str, edit: Any
) -> None:
    folder = save(tmp_path, edited(edit(keyword, slice(2, 3))))
    volume = read_scan(folder, strict=True)
    assert np.array_equal(volume.values, EXPECTED)
    (warning,) = volume.warnings
    assert warning.startswith(f"{keyword} is missing in 1 of 6 slices")


@pytest.mark.parametrize("keyword", ASSUMED)
def test_frames_are_completed_like_slices(tmp_path: Path, keyword: str) -> None:
    data = enhanced(series())
    delattr(data, keyword)
    volume = read_scan(save(tmp_path, [data]))
    assert np.array_equal(volume.values, EXPECTED)
    assert keyword in volume.warnings[0]


def test_the_sign_is_taken_from_the_other_slices(tmp_path: Path) -> None:
    def signed(slices: list[Dataset]) -> None:
        pixels_of(slices, lambda values, k: (values.astype(int) - 50) % 2**12)
        for data in slices:
            data.PixelRepresentation = 1
        del slices[3].PixelRepresentation

    volume = read_scan(save(tmp_path, edited(signed)))
    assert np.array_equal(volume.values, EXPECTED - 50)


def test_pixels_whose_sign_matters_are_an_error(tmp_path: Path) -> None:
    def signed(slices: list[Dataset]) -> None:
        pixels_of(slices, lambda values, k: (values.astype(int) - 50) % 2**12)
        for data in slices:
            del data.PixelRepresentation

    with pytest.raises(ScanError, match=r"PixelRepresentation is missing .* 0 .unsigned. or 1"):
        read_scan(save(tmp_path, edited(signed)))


INVALID: dict[str, Any] = {
    "PhotometricInterpretation": "YBR_FULL",
    "BitsAllocated": 20,
    "BitsStored": 99,
    "PixelRepresentation": 7,
}


@pytest.mark.parametrize("keyword", INVALID)
def test_an_invalid_value_is_an_error_that_names_the_element(tmp_path: Path, keyword: str) -> None:
    folder = save(tmp_path, edited(assign(keyword, INVALID[keyword])))
    with pytest.raises(ScanError, match=f"{keyword} is missing or invalid in 6 of 6") as caught:
        read_scan(folder)
    assert "expected" in str(caught.value)
    assert "corrupt" not in str(caught.value)


def test_more_bits_stored_than_allocated_are_an_error(tmp_path: Path) -> None:
    folder = save(tmp_path, edited(assign("BitsStored", 20)))
    with pytest.raises(ScanError, match=r"BitsStored .* no more than BitsAllocated"):
        read_scan(folder)


def test_lower_case_is_understood(tmp_path: Path) -> None:
    folder = save(tmp_path, edited(assign("PhotometricInterpretation", "monochrome2")))
    assert read_scan(folder).warnings == ()


def without_size_of_pixels(path: Path) -> Path:
    """Slices without BitsAllocated, which pydicom writes as Explicit VR only if the pixel data are bytes."""
    path.mkdir()
    for number, data in enumerate(series()):
        data["PixelData"].VR = "OW"
        del data.BitsAllocated
        data.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
        data.save_as(path / f"{number}.dcm", enforce_file_format=True)
    return path


def test_the_size_of_a_pixel_is_found_from_the_pixel_data(tmp_path: Path) -> None:
    volume = read_scan(without_size_of_pixels(tmp_path / "in"))
    assert np.array_equal(volume.values, EXPECTED)
    assert "BitsAllocated is missing in 6 of 6 slices" in volume.warnings[0]


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
def test_missing_size_is_named(tmp_path: Path, keyword: str) -> None:
    with pytest.raises(ScanError, match=f"{keyword} is missing in 6 DICOM files"):
        read_scan(save(tmp_path / "all", edited(remove(keyword))))
    slices = edited(remove(keyword, slice(2, 3)))
    volume = read_scan(save(tmp_path / "one", slices))
    assert volume.warnings[0].startswith(f"{keyword} is missing in 1 DICOM image: it was skipped")
    assert volume.geometry.shape[2] == SLICES


def test_true_damage_is_still_called_damage(tmp_path: Path) -> None:
    slices = copy.deepcopy(series())
    for data in slices:
        data.PixelData = data.PixelData[:8]
    with pytest.raises(ScanError, match="missing, truncated or corrupt"):
        read_scan(save(tmp_path, slices))
