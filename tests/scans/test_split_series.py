"""Slices that each name a series of their own are one scan if they form a stack, else an error; never one slice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from ball_series import scan
from clinical_series import PATIENT
from dicom_series import (
    CORONAL,
    SERIES,
    as_series,
    assert_every_voxel_at_its_position,
    drop,
    edited,
    enhanced,
    save,
    series,
    shift,
)
from rma_mamba.errors import ScanError
from rma_mamba.scans import list_series, read_scan, write_mask, write_structured_report
from rma_mamba.volume import Mask

LONG = {"slices": 14}


def split(slices: list[Dataset], **elements: Callable[[int], Any]) -> list[Dataset]:
    """The slices, each with a SeriesInstanceUID of its own and otherwise the same identifiers."""
    for number, data in enumerate(slices):
        data.SeriesInstanceUID = f"{SERIES}.70.{number}"
        data.SOPInstanceUID = f"{SERIES}.70.{number}.1"
        data.SeriesNumber, data.FrameOfReferenceUID = 3, f"{SERIES}.0"
        for keyword, value in elements.items():
            setattr(data, keyword, value(number))
    return slices


def only_uids(slices: list[Dataset]) -> None:
    split(slices)


def without_other_identifiers(slices: list[Dataset]) -> None:
    for data in split(slices):
        del data.SeriesNumber, data.FrameOfReferenceUID


@pytest.mark.parametrize("edit", [only_uids, without_other_identifiers])
@pytest.mark.parametrize("directions", [(1.0, 0, 0, 0, 1, 0), CORONAL])
def test_slices_that_form_a_stack_are_one_scan(tmp_path: Path, edit: Any, directions: Any) -> None:
    slices = edited(edit, directions=directions)
    volume = read_scan(save(tmp_path, slices), strict=True)
    assert_every_voxel_at_its_position(volume, slices)
    (warning,) = volume.warnings
    assert warning.startswith("The slices name 6 series (SeriesInstanceUID): they were read as one")
    (entry,) = list_series(tmp_path)
    assert (entry.images, entry.chosen) == (6, True)


@pytest.mark.parametrize("wanted", [1, f"{SERIES}.70.4"])
def test_the_scan_is_selected_by_its_number_or_any_of_its_uids(tmp_path: Path, wanted: Any) -> None:
    volume = read_scan(save(tmp_path, split(series())), series=wanted)
    assert volume.geometry.shape[2] == 6
    assert "they were read as one series" in volume.warnings[0]


def test_echoes_that_are_split_as_well_are_volumes(tmp_path: Path) -> None:
    slices = split([*series(), *series()], EchoTime=lambda n: 2.3 if n < 6 else 4.6)
    folder = save(tmp_path, slices)
    with pytest.raises(ScanError, match="2 volumes that differ in echo time"):
        read_scan(folder)
    assert_every_voxel_at_its_position(read_scan(folder, volume=2), slices[6:])


@pytest.mark.parametrize("agree", [True, False])
def test_pairs_of_slices_are_put_together_in_the_same_way(tmp_path: Path, agree: bool) -> None:
    slices = split(series(**LONG), SeriesInstanceUID=lambda n: f"1.2.{n // 2}")
    if not agree:
        split(slices, SeriesInstanceUID=lambda n: f"1.2.{n // 2}", SeriesNumber=lambda n: n // 2)
        with pytest.raises(ScanError, match="seem to name 7 series"):
            read_scan(save(tmp_path, slices))
        return
    assert_every_voxel_at_its_position(read_scan(save(tmp_path, slices)), slices)


def test_both_echoes_of_a_slice_may_share_a_series(tmp_path: Path) -> None:
    slices = split(
        [*series(), *series()],
        SeriesInstanceUID=lambda n: f"1.2.{n % 6}",
        EchoTime=lambda n: 2.3 if n < 6 else 4.6,
    )
    assert_every_voxel_at_its_position(read_scan(save(tmp_path, slices), volume=2), slices[6:])


def test_short_series_of_the_same_places_are_not_put_together(tmp_path: Path) -> None:
    phases = [
        split(series(slices=2), SeriesInstanceUID=lambda n, k=k: f"1.2.{k}") for k in range(4)
    ]
    for number, data in enumerate(data for phase in phases for data in phase):
        data.SOPInstanceUID = f"1.2.3.{number}"
    folder = save(tmp_path, [data for phase in phases for data in phase])
    assert [entry.images for entry in list_series(folder)] == [2, 2, 2, 2]


def test_a_missing_slice_is_found(tmp_path: Path) -> None:
    slices = split(series())
    drop(2)(slices)
    volume = read_scan(save(tmp_path, slices))
    assert volume.geometry.shape[2] == 6
    assert any("About 1 slice" in warning for warning in volume.warnings)


def test_a_localizer_beside_them_is_not_preferred(tmp_path: Path) -> None:
    localizer = as_series(series(slices=3, step_mm=20.0), 2)
    volume = read_scan(save(tmp_path, [*localizer, *split(series(**LONG))]))
    assert volume.geometry.shape[2] == 14


APART: dict[str, Callable[[list[Dataset]], object]] = {
    "series number": lambda slices: split(slices, SeriesNumber=lambda n: n + 1),
    "frame of reference": lambda slices: split(slices, FrameOfReferenceUID=lambda n: f"1.2.{n}"),
    "uneven": lambda slices: shift(3, 2, 1.0)(split(slices)),
}


@pytest.mark.parametrize("edit", APART.values(), ids=APART.keys())
@pytest.mark.parametrize("beside", [[], as_series(series(slices=3, step_mm=20.0), 900)])
def test_slices_that_may_not_belong_together_are_an_error(
    tmp_path: Path, edit: Any, beside: list[Dataset]
) -> None:
    slices = series(**LONG)
    edit(slices)
    folder = save(tmp_path, [*slices, *beside])
    with pytest.raises(ScanError, match="the slices of one scan seem to name 14 series"):
        read_scan(folder)
    assert not any(entry.chosen for entry in list_series(folder))
    assert read_scan(folder, series=1).geometry.shape[2] in (1, 3)


def test_single_slices_beside_a_scan_are_no_error(tmp_path: Path) -> None:
    monitoring = split(series(slices=3), SeriesNumber=lambda n: n + 1)
    volume = read_scan(save(tmp_path, [*as_series(series(**LONG), 9), *monitoring]))
    assert volume.geometry.shape[2] == 14


def test_objects_with_frames_keep_their_series(tmp_path: Path) -> None:
    objects = [enhanced(as_series(series(), number)) for number in (1, 2, 3)]
    assert [entry.images for entry in list_series(save(tmp_path, objects))] == [6, 6, 6]


def test_objects_reference_the_series_of_each_slice(tmp_path: Path) -> None:
    slices = scan()
    for number, data in enumerate(split(slices)):
        for keyword, value in PATIENT.items():
            setattr(data, keyword, value)
        data.InstanceNumber = number + 1
        data.Manufacturer, data.KVP, data.PatientPosition = "Maker", 120, "HFS"
        del data.FrameOfReferenceUID
    volume = read_scan(save(tmp_path / "in", slices))
    mask = Mask((volume.values > 0).astype(np.uint8), volume.geometry, None, volume.source_images)
    write_mask(mask, tmp_path / "seg.dcm")
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    write_structured_report(mask, {"volume_ml": 24.0}, tmp_path / "sr.dcm")
    expected = {(data.SeriesInstanceUID, data.SOPInstanceUID) for data in slices}
    seg, contours, report = (
        pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("seg", "rt", "sr")
    )
    assert seg.FrameOfReferenceUID == contours.FrameOfReferenceUID
    assert expected == {
        (one.SeriesInstanceUID, image.ReferencedSOPInstanceUID)
        for one in seg.ReferencedSeriesSequence
        for image in one.ReferencedInstanceSequence
    }
    study = contours.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    assert expected == {
        (one.SeriesInstanceUID, image.ReferencedSOPInstanceUID)
        for one in study.RTReferencedSeriesSequence
        for image in one.ContourImageSequence
    }
    assert expected == {
        (one.SeriesInstanceUID, image.ReferencedSOPInstanceUID)
        for one in report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for image in one.ReferencedSOPSequence
    }
