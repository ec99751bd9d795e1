"""Volumes of one series are distinguished and read one by one; frames of enhanced objects are slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, uid

from dicom_series import (
    CORONAL,
    SERIES,
    SLICES,
    assert_every_voxel_at_its_position,
    assign,
    double,
    drop,
    edited,
    enhanced,
    pixels_of,
    save,
    series,
    shift,
    stored,
)
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import count_volumes, read_scan

Values = Any


def phases(count: int, **elements: Any) -> list[Dataset]:
    """Volumes of one series, in which elements take one value a volume; their values differ by 1000."""
    slices = []
    for number in range(count):
        volume = series()
        pixels_of(volume, lambda values, k, number=number: values + 1000 * number)
        for k, data in enumerate(volume):
            data.SOPInstanceUID = f"{SERIES}.{number}.{k}"
            data.InstanceNumber = number * SLICES + k + 1
            for keyword, values in elements.items():
                setattr(data, keyword, values[number])
        slices += volume
    return slices


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "echoes": ({"EchoTime": [2.3, 4.6, 6.9]}, "echo time"),
    "b-values": ({"DiffusionBValue": [0.0, 50.0, 800.0]}, "b-value"),
    "phases": ({"TemporalPositionIdentifier": [1, 2, 3]}, "phase"),
    "acquisitions": ({"AcquisitionNumber": [3, 4, 5]}, "acquisition"),
    "real and imaginary": (
        {"ImageType": [["ORIGINAL", "PRIMARY", kind] for kind in "IMR"]},
        "image type",
    ),
    "no word for it": ({}, ""),
}


@pytest.mark.parametrize(("elements", "words"), KINDS.values(), ids=KINDS.keys())
def test_the_volumes_of_a_series_are_distinguished(
    tmp_path: Path, elements: dict[str, Any], words: str
) -> None:
    folder = save(tmp_path, phases(3, **elements))
    assert count_volumes(folder) == 3
    with pytest.raises(ScanError, match="contains 3 volumes") as caught:
        read_scan(folder)
    assert words in str(caught.value)
    assert "--volume 1 to 3" in str(caught.value)
    for number in (1, 2, 3):
        volume = read_scan(folder, volume=number)
        expected = stored().transpose(2, 1, 0) - 1024 + 1000 * (number - 1)
        assert np.array_equal(volume.values, expected)
        assert volume.warnings == ()


@pytest.mark.parametrize("number", [0, 4, -1])
def test_a_volume_number_out_of_range_is_a_config_error(tmp_path: Path, number: int) -> None:
    with pytest.raises(ConfigError, match="expected 1 to 3"):
        read_scan(save(tmp_path, phases(3, EchoTime=[1, 2, 3])), volume=number)


def test_a_series_with_a_single_volume_is_volume_1(tmp_path: Path) -> None:
    folder = save(tmp_path, series())
    assert count_volumes(folder) == 1
    assert np.array_equal(read_scan(folder, volume=1).values, read_scan(folder).values)
    with pytest.raises(ConfigError, match="the scan has one volume, not 2"):
        read_scan(folder, volume=2)


def test_two_varying_elements_give_one_volume_per_combination(tmp_path: Path) -> None:
    slices = phases(4, EchoTime=[1, 1, 2, 2], TemporalPositionIdentifier=[1, 2, 1, 2])
    folder = save(tmp_path, slices)
    assert count_volumes(folder) == 4
    assert read_scan(folder, volume=4).values.min() == 3000 - 1024


def test_a_slice_missing_from_one_volume_is_interpolated_there_only(tmp_path: Path) -> None:
    slices = phases(3, EchoTime=[1, 2, 3])
    del slices[SLICES + 2]
    folder = save(tmp_path, slices)
    assert read_scan(folder, volume=1).warnings == ()
    volume = read_scan(folder, volume=2)
    assert volume.geometry.shape[2] == SLICES
    assert "About 1 slice" in volume.warnings[0]
    with pytest.raises(ScanError, match="about 1 slice"):
        read_scan(folder, volume=2, strict=True)


def test_a_series_that_was_sent_twice_is_read_once(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, edited(double)))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert volume.warnings == ("6 duplicate slices were skipped.",)


def test_the_first_of_two_slices_at_one_position_is_kept(tmp_path: Path) -> None:
    slices = series()
    again = series()[2]
    pixels_of([again], lambda values, k: values + 500)
    again.SOPInstanceUID, again.InstanceNumber = f"{SERIES}.99", 99
    volume = read_scan(save(tmp_path, [again, *slices]))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert volume.warnings == (
        "1 slice has the same position as another slice but different pixels: the first slice was kept.",
    )


# --- enhanced multi-frame objects ----------------------------------------------------------------


@pytest.mark.parametrize("syntax", [None, uid.RLELossless, uid.JPEGLSLossless])
@pytest.mark.parametrize("directions", [None, CORONAL])
def test_an_enhanced_object_is_read_like_single_slices(
    tmp_path: Path, syntax: Any, directions: Any
) -> None:
    slices = series(directions=directions) if directions else series()
    data = enhanced([slices[k] for k in (3, 0, 5, 1, 4, 2)])
    if syntax is not None:
        data.compress(syntax, generate_instance_uid=False)
    folder = save(tmp_path, [data])
    for path in (folder, folder / "IM0000"):
        volume = read_scan(path)
        assert_every_voxel_at_its_position(volume, slices)
        assert (volume.modality, volume.warnings) == ("CT", ())
        assert volume.source_images is not None
        assert [each.frame for each in volume.source_images.slices] == [2, 4, 6, 1, 5, 3]
        assert {each.instance_uid for each in volume.source_images.slices} == {f"{SERIES}.3"}


def test_each_frame_is_rescaled_with_its_own_slope_and_intercept(tmp_path: Path) -> None:
    slices = series()
    for k, data in enumerate(slices):
        data.RescaleSlope, data.RescaleIntercept = k + 1, -10 * k
    volume = read_scan(save(tmp_path, [enhanced(slices)]))
    expected = stored() * np.arange(1, 7)[:, None, None] - 10 * np.arange(6)[:, None, None]
    assert np.array_equal(volume.values, expected.transpose(2, 1, 0))


def test_the_echoes_of_an_enhanced_object_are_distinguished(tmp_path: Path) -> None:
    slices = phases(2, EchoTime=[2.3, 4.6], Modality=["MR", "MR"])
    folder = save(tmp_path, [enhanced(slices)])
    with pytest.raises(ScanError, match="2 volumes that differ in echo time"):
        read_scan(folder)
    assert read_scan(folder, volume=2).values.min() == 1000 - 1024
    assert read_scan(folder, volume=2).modality == "MR"


def test_an_enhanced_object_with_a_gap_is_repaired(tmp_path: Path) -> None:
    folder = save(tmp_path, [enhanced(edited(drop(3)))])
    assert "About 1 slice" in read_scan(folder).warnings[0]
    with pytest.raises(ScanError, match="about 1 slice"):
        read_scan(folder, strict=True)


@pytest.mark.parametrize("count", [0, 5, 7, 2**31 - 1])
def test_an_enhanced_object_with_a_wrong_number_of_frames_is_rejected(
    tmp_path: Path, count: int
) -> None:
    data = enhanced(series())
    data.NumberOfFrames = count
    with pytest.raises(ScanError, match="expected"):
        read_scan(save(tmp_path, [data]))


def test_position_jitter_does_not_create_a_second_volume(tmp_path: Path) -> None:
    folder = save(tmp_path, edited(shift(2, 2, 0.01)))
    assert (count_volumes(folder), read_scan(folder, strict=True).warnings) == (1, ())


def test_a_corrupt_functional_group_is_a_typed_error(tmp_path: Path) -> None:
    data = enhanced(series())
    del data.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    with pytest.raises(
        ScanError, match="ImagePositionPatient is missing or invalid in 1 of 6 slices"
    ):
        read_scan(save(tmp_path, [data]))
    assign("Rows", 0)([data])
    with pytest.raises(ScanError, match="expected"):
        read_scan(save(tmp_path, [data]))
