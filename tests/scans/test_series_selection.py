"""The series to segment is selected by documented rules, and the user can select another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from dicom_series import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    SERIES,
    SLICES,
    as_series,
    beside,
    edited,
    enhanced,
    pixels_of,
    remove,
    save,
    series,
    zipped,
)
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import list_series, read_scan

LONG = {"slices": 14}  # 35 mm: more than a few images at one place


def study() -> list[Dataset]:
    """Seven series, of which number 4 is the axial original that covers most in the thinnest slices."""
    short = as_series(series(slices=SLICES), 1)
    coronal = as_series(series(directions=CORONAL, slices=16), 2)
    thick = as_series(series(slices=7, step_mm=5.0), 3)
    best = as_series(series(**LONG), 4, SeriesDescription="liver of Doe")
    derived = as_series(series(slices=20), 5, ImageType=["DERIVED", "SECONDARY", "MPR"])
    other = as_series(series(**LONG), 6, Modality="PT")
    report = as_series([beside("report")], 7)
    return [*short, *coronal, *thick, *best, *derived, *other, *report]


def test_the_best_original_axial_series_is_selected_with_a_warning(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, study()))
    assert volume.geometry.shape[2] == 14
    (ignored, warning) = volume.warnings
    assert "1 DICOM file that is not a slice" in ignored
    assert warning.startswith("5 series can be segmented: number 4 ")
    assert "axial, original, 14 slices" in warning


def test_the_list_says_why_each_series_was_not_selected(tmp_path: Path) -> None:
    found = list_series(save(tmp_path, study()))
    assert [one.number for one in found] == [*range(1, 8)]
    reasons = {one.number: one.reason for one in found}
    assert reasons == {
        1: "too short",
        2: "not axial",
        3: "larger slice spacing",
        4: "best match",
        5: "derived images",
        6: "not CT or MR",
        7: "no image slices",
    }
    assert [one.number for one in found if one.chosen] == [4]
    fourth = found[3]
    assert (fourth.images, fourth.volumes, fourth.orientation) == (14, 1, "axial")
    assert fourth.spacing_mm == (0.75, 1.5, 2.5)
    assert fourth.description == "liver of Doe"
    assert (found[1].orientation, found[4].kind, found[6].kind) == ("coronal", "derived", "object")


@pytest.mark.parametrize("wanted", [2, "2", f"{SERIES}.2"])
def test_a_series_is_read_by_number_and_by_uid(tmp_path: Path, wanted: Any) -> None:
    volume = read_scan(save(tmp_path, study()), series=wanted)
    assert volume.geometry.shape[2] == 16
    assert volume.geometry.orientation == "LIP"


@pytest.mark.parametrize("wanted", [0, 8, -1, "1.2.3", "", "liver of Doe"])
def test_a_series_that_does_not_exist_is_a_config_error(tmp_path: Path, wanted: Any) -> None:
    with pytest.raises(ConfigError, match="expected a number from 1 to 7") as caught:
        read_scan(save(tmp_path, study()), series=wanted)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(("wanted", "words"), [(6, "is not supported"), (7, "no image slices")])
def test_a_series_without_a_scan_is_rejected_even_if_requested(
    tmp_path: Path, wanted: int, words: str
) -> None:
    with pytest.raises(ScanError, match=words):
        read_scan(save(tmp_path, study()), series=wanted)


def test_series_in_subfolders_are_found(tmp_path: Path) -> None:
    save(tmp_path / "a", as_series(series(**LONG), 1))
    save(tmp_path / "b", as_series(series(), 2))
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [one.images for one in list_series(tmp_path)] == [14, SLICES]
    assert read_scan(tmp_path).geometry.shape[2] == 14


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "PatientID"])
def test_there_is_no_automatic_selection_between_studies_or_patients(
    tmp_path: Path, keyword: str
) -> None:
    one, two = as_series(series(**LONG), 1), as_series(series(), 2, **{keyword: "1.2.3"})
    folder = save(tmp_path, [*one, *two])
    with pytest.raises(ScanError, match="scans of 2 studies or patients"):
        read_scan(folder)
    found = list_series(folder)
    assert {entry.study for entry in found} == {1, 2}
    assert not any(entry.chosen for entry in found)
    numbers = {entry.images: entry.number for entry in found}
    assert read_scan(folder, series=numbers[14]).geometry.shape[2] == 14


def test_another_study_without_a_scan_is_ignored(tmp_path: Path) -> None:
    report = beside("report")
    report.StudyInstanceUID = "1.2.3"
    assert read_scan(save(tmp_path, [*series(), report])).geometry.shape[2] == SLICES


def test_derived_or_coronal_slices_are_read_if_there_are_no_others(tmp_path: Path) -> None:
    slices = series(directions=CORONAL)
    for data in slices:
        data.ImageType = ["DERIVED", "PRIMARY"]
    assert read_scan(save(tmp_path, slices)).geometry.orientation == "LIP"


def test_a_series_with_one_volume_is_preferred_to_one_with_several(tmp_path: Path) -> None:
    echoes = [
        *as_series(series(**LONG), 1, EchoTime=2.3),
        *as_series(series(**LONG), 1, EchoTime=4.6),
    ]
    for number, data in enumerate(echoes):
        data.SOPInstanceUID = f"{SERIES}.1.{number}"
    plain = as_series(series(**LONG), 2)
    pixels_of(plain, lambda values, k: values + 1)
    volume = read_scan(save(tmp_path, [*echoes, *plain]))
    assert volume.values.min() == -1023
    assert [one.volumes for one in list_series(tmp_path)] == [2, 1]


def test_a_zip_archive_is_read_like_its_folder(tmp_path: Path) -> None:
    folder = save(tmp_path / "study", study())
    one, other = read_scan(folder), read_scan(zipped(folder, tmp_path / "study.zip"))
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.geometry.affine, other.geometry.affine)
    assert one.warnings == other.warnings
    assert [entry.uid for entry in list_series(tmp_path / "study.zip")] == [
        entry.uid for entry in list_series(folder)
    ]


def test_one_file_is_a_scan_of_one_slice_with_a_warning(tmp_path: Path) -> None:
    folder = save(tmp_path, series())
    volume = read_scan(folder / "IM0003")
    assert volume.geometry.shape[2] == 1
    assert any("only one slice" in line for line in volume.warnings)


def test_a_series_cannot_be_selected_in_other_formats(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").write_bytes(b"\x5c\x01\0\0" + bytes(400))
    with pytest.raises(ConfigError, match="is not DICOM"):
        read_scan(tmp_path / "scan.nii", series=1)


def test_slices_with_positions_are_preferred_to_slices_without(tmp_path: Path) -> None:
    lost = as_series(edited(remove("ImagePositionPatient"), **LONG), 1)
    folder = save(tmp_path, [*lost, *as_series(series(), 2)])
    assert read_scan(folder).geometry.shape[2] == SLICES
    assert list_series(folder)[0].reason == "slices without position"


# --- localizers that do not say so ----------------------------------------------------------------


def three_planes(number: int = 1, planes: Any = (AXIAL, CORONAL, SAGITTAL)) -> list[Dataset]:
    """A localizer of long parallel stacks in several planes, whose image type does not name it."""
    slices = [data for each in planes for data in series(directions=each, slices=20)]
    return as_series(slices, number, ImageType=["ORIGINAL", "PRIMARY", "M", "ND"])


SMALL_SCAN = {"slices": 3, "step_mm": 4.0}


@pytest.mark.parametrize("planes", [(AXIAL, CORONAL, SAGITTAL), (AXIAL, CORONAL)])
@pytest.mark.parametrize("scan", [SMALL_SCAN, LONG])
def test_images_in_several_orientations_are_no_candidate_beside_a_scan(
    tmp_path: Path, planes: Any, scan: dict[str, Any]
) -> None:
    folder = save(tmp_path, [*three_planes(1, planes), *as_series(series(**scan), 2)])
    volume = read_scan(folder)
    assert volume.geometry.shape[2] == scan["slices"]
    assert volume.warnings == ()
    first, second = list_series(folder)
    assert (first.chosen, first.reason) == (False, "several orientations")
    assert (second.chosen, second.reason) == (True, "the only scan")


def test_frames_in_several_orientations_are_no_candidate_either(tmp_path: Path) -> None:
    data = enhanced(three_planes())
    groups = data.PerFrameFunctionalGroupsSequence
    for number, group in enumerate(groups):
        direction = Dataset()
        direction.ImageOrientationPatient = list((AXIAL, CORONAL, SAGITTAL)[number // 20])
        group.PlaneOrientationSequence = [direction]
    del data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    folder = save(tmp_path, [data, *as_series(series(**SMALL_SCAN), 2)])
    assert read_scan(folder).geometry.shape[2] == 3


@pytest.mark.parametrize("count", [1, 2])
def test_localizers_alone_are_an_error_and_never_the_best(tmp_path: Path, count: int) -> None:
    slices = [data for number in range(count) for data in three_planes(number + 1)]
    folder = save(tmp_path, slices)
    with pytest.raises(ScanError, match="the slices have 3 orientations"):
        read_scan(folder)
    assert [entry.chosen for entry in list_series(folder)] == [False] * count
    assert {entry.reason for entry in list_series(folder)} == {"several orientations"}


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"SeriesDescription": "3-plane loc"}, "localizer by its description"),
        ({"SeriesDescription": "SURVEY_BH"}, "localizer by its description"),
        ({"SeriesDescription": "t2_haste"}, "slices far apart"),
    ],
)
def test_a_localizer_in_one_plane_is_not_preferred_to_a_coronal_scan(
    tmp_path: Path, elements: dict[str, Any], reason: str
) -> None:
    step_mm = 20.0 if reason == "slices far apart" else 8.0
    localizer = as_series(series(slices=5, step_mm=step_mm), 1, **elements)
    coronal = as_series(series(directions=CORONAL, slices=16), 2)
    folder = save(tmp_path, [*localizer, *coronal])
    assert read_scan(folder).geometry.shape[2] == 16
    assert [entry.reason for entry in list_series(folder)] == [reason, "best match"]


def test_a_wide_or_so_called_localizer_is_read_if_there_is_nothing_else(tmp_path: Path) -> None:
    slices = as_series(series(slices=5, step_mm=20.0), 1, SeriesDescription="Localizer")
    assert read_scan(save(tmp_path, slices)).geometry.shape[2] == 5
