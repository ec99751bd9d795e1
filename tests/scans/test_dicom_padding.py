"""Pixel padding is no measurement: it becomes air in CT and no signal in MR, however it is written."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid

import jpeg_lossless
from dicom_series import COLUMNS, ROWS, enhanced, pixels_of, save, series, stored
from rma_mamba.scans import read_scan

CORNER = np.zeros((ROWS, COLUMNS), bool)
CORNER[:2, :2] = True
CORNER[-1] = True

# Modality, bits stored, signed pixels, the stored word; the elements with their representation.
SIGNED, UNSIGNED = "SS", "US"
PADDINGS: dict[str, tuple[str, int, int, int, dict[str, tuple[str, int]]]] = {
    "CT, darker than air": ("CT", 16, 1, -2000, {"PixelPaddingValue": (SIGNED, -2000)}),
    "CT, signed written as unsigned": (
        "CT",
        16,
        1,
        -2000,
        {"PixelPaddingValue": (UNSIGNED, 63536)},
    ),
    "CT, unsigned written as signed": ("CT", 16, 0, 63536, {"PixelPaddingValue": (SIGNED, -2000)}),
    "CT, unsigned": ("CT", 16, 0, 63536, {"PixelPaddingValue": (UNSIGNED, 63536)}),
    "CT, beyond the stored bits": ("CT", 12, 0, 63536, {"PixelPaddingValue": (UNSIGNED, 63536)}),
    "CT, 12 bits signed": ("CT", 12, 1, -2000, {"PixelPaddingValue": (UNSIGNED, 63536)}),
    "CT, a range": (
        "CT",
        *(16, 1, -1500),
        {"PixelPaddingValue": (SIGNED, -2000), "PixelPaddingRangeLimit": (SIGNED, -1025)},
    ),
    "CT, a range written as unsigned": (
        "CT",
        *(16, 1, -1500),
        {"PixelPaddingValue": (UNSIGNED, 64511), "PixelPaddingRangeLimit": (UNSIGNED, 63536)},
    ),
    "CT, a range across zero": (
        "CT",
        *(16, 0, 65000),
        {"PixelPaddingValue": (UNSIGNED, 63536), "PixelPaddingRangeLimit": (UNSIGNED, 0)},
    ),
    "MR, brighter than any tissue": ("MR", 16, 0, 32767, {"PixelPaddingValue": (UNSIGNED, 32767)}),
    "MR, a bright range": (
        "MR",
        *(16, 0, 60001),
        {"PixelPaddingValue": (UNSIGNED, 60000), "PixelPaddingRangeLimit": (UNSIGNED, 65535)},
    ),
    "MR, very dark": ("MR", 16, 1, -32768, {"PixelPaddingValue": (SIGNED, -32768)}),
}


def padded(
    modality: str, bits: int, signed: int, value: int, elements: dict[str, tuple[str, int]]
) -> list[Dataset]:
    """The usual series, with the corner of each slice padded."""
    slices = series()
    for data in slices:
        data.Modality, data.BitsStored, data.HighBit = modality, bits, bits - 1
        data.PixelRepresentation = signed
        if modality == "MR":
            data.RescaleIntercept = 0
        for keyword, (representation, number) in elements.items():
            data.add_new(keyword, representation, number)
    pixels_of(slices, lambda values, k: np.where(CORNER, value % 2**16, values + 1))
    return slices


def expected(modality: str) -> Any:
    values = stored() + 1 - (1024 if modality == "CT" else 0)
    values[:, CORNER] = -1024 if modality == "CT" else 0
    return values.transpose(2, 1, 0)


@pytest.mark.parametrize("case", PADDINGS.values(), ids=PADDINGS.keys())
def test_padding_is_air_or_no_signal(tmp_path: Path, case: Any) -> None:
    volume = read_scan(save(tmp_path, padded(*case)))
    assert np.array_equal(volume.values, expected(case[0]))
    assert volume.values.dtype == np.int16
    assert volume.warnings == ()


@pytest.mark.parametrize("name", ["CT, unsigned", "CT, darker than air", "MR, a bright range"])
def test_padding_is_recognised_in_implicit_vr(tmp_path: Path, name: str) -> None:
    for number, data in enumerate(padded(*PADDINGS[name])):
        data.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
        data.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    assert np.array_equal(read_scan(tmp_path).values, expected(name[:2]))


@pytest.mark.parametrize("name", ["CT, unsigned", "CT, darker than air", "MR, very dark"])
def test_padding_is_recognised_in_enhanced_objects(tmp_path: Path, name: str) -> None:
    slices = padded(*PADDINGS[name])
    data = enhanced(slices)
    data["PixelPaddingValue"] = slices[0]["PixelPaddingValue"]
    assert np.array_equal(read_scan(save(tmp_path, [data])).values, expected(name[:2]))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, "JPEG Lossless"])
@pytest.mark.parametrize("name", ["CT, unsigned", "CT, darker than air"])
def test_padding_is_recognised_in_compressed_slices(tmp_path: Path, name: str, syntax: str) -> None:
    slices = padded(*PADDINGS[name])
    for data in slices:
        if syntax == "JPEG Lossless":
            jpeg_lossless.compressed(data)
        else:
            data.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(read_scan(save(tmp_path, slices)).values, expected(name[:2]))


def test_padding_of_inverted_slices_is_no_signal(tmp_path: Path) -> None:
    slices = padded(*PADDINGS["MR, brighter than any tissue"])
    for data in slices:
        data.PhotometricInterpretation = "MONOCHROME1"
    values = read_scan(save(tmp_path, slices)).values
    inverted = 65535 - 1 - stored()
    inverted[:, CORNER] = 0
    assert np.array_equal(values, inverted.transpose(2, 1, 0))


def unchanged(slices: list[Dataset]) -> Any:
    values = [np.frombuffer(data.PixelData, "<u2").reshape(ROWS, COLUMNS) for data in slices]
    return np.stack(values).transpose(2, 1, 0).astype(int) - 1024


def tissue(slices: list[Dataset]) -> None:
    """A value that single pixels here and there have."""
    for data in slices:
        data.add_new("PixelPaddingValue", "US", 7)


def whole_range(slices: list[Dataset]) -> None:
    """A range that holds every stored value; the value itself is not met."""
    for data in slices:
        data.add_new("PixelPaddingValue", "US", 4095)
        data.add_new("PixelPaddingRangeLimit", "US", 0)


def invalid(slices: list[Dataset]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in slices:
            data.add_new("PixelPaddingValue", "LO", "none")


@pytest.mark.parametrize("edit", [tissue, whole_range, invalid])
def test_a_value_that_is_no_padding_is_kept(tmp_path: Path, edit: Any) -> None:
    slices = series()
    edit(slices)
    before = unchanged(slices)
    assert np.array_equal(read_scan(save(tmp_path, slices)).values, before)


def test_ct_without_rescale_intercept_is_padded_with_its_lowest_value(tmp_path: Path) -> None:
    slices = padded(*PADDINGS["CT, unsigned"])
    for data in slices:
        data.RescaleIntercept = 0
    assert read_scan(save(tmp_path, slices)).values.min() == 0
