"""The distance of slices in a SEG is that of their positions, whatever the header of the scan says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from clinical_series import ORIENTATIONS, PATIENT, blob, clinical_series
from dicom_series import assign, drop, enhanced, save
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.volume import Mask
from seg_readers import READERS, furthest_mm, true_points

STEP_MM = 2.7  # of `clinical_series`
MOST_MM = 1e-4
# missing, zero, negative, no divisor of the true distance, half and three times it, empty, two values
WRONG = [None, 0, -2.7, 5.0, 2.0, 1.35, 8.1, "", [2.7, 1.0]]


def written(folder: Path, slices: list[Dataset]) -> Mask:
    """The mask of a series, written as seg.dcm next to the folder of the series."""
    volume = read_scan(save(folder, slices))
    mask = Mask(blob(volume.geometry.shape), volume.geometry, None, volume.source_images)
    write_mask(mask, folder.parent / "seg.dcm")
    return mask


def measures(path: Path) -> Dataset:
    shared = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0]
    return shared.PixelMeasuresSequence[0]


def as_frames(slices: list[Dataset], spacing: Any, *, per_frame: bool = False) -> list[Dataset]:
    """The series as one multi-frame object, with that spacing in its pixel measures."""
    data = enhanced(slices)
    for keyword, value in PATIENT.items():
        setattr(data, keyword, value)
    group = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    if spacing is not None:
        assign("SpacingBetweenSlices", spacing)([group])
    if per_frame:
        del data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        for frame in data.PerFrameFunctionalGroupsSequence:
            frame.PixelMeasuresSequence = [group]
    return [data]


@pytest.mark.parametrize("spacing", WRONG)
@pytest.mark.parametrize("kind", ["slices", "frames", "measures per frame"])
def test_the_true_distance_of_slices_is_written(tmp_path: Path, kind: str, spacing: Any) -> None:
    slices = clinical_series(ORIENTATIONS["double oblique"])
    if spacing is not None:
        assign("SpacingBetweenSlices", spacing)(slices)
    if kind != "slices":
        slices = as_frames(slices, spacing, per_frame=kind != "frames")
    mask = written(tmp_path / "in", slices)
    assert float(measures(tmp_path / "seg.dcm").SpacingBetweenSlices) == pytest.approx(
        STEP_MM, abs=1e-6
    )
    for reader in READERS:
        if reader != "dcmqi":
            found = READERS[reader](tmp_path / "seg.dcm")
            assert furthest_mm(found, true_points(mask)) < MOST_MM


@pytest.mark.parametrize("name", ["axial", "double oblique"])
@pytest.mark.parametrize("spacing", [0, -2.7, 5.0, 1.35])
@pytest.mark.parametrize("kind", ["all", "a gap", "reversed", "frames"])
def test_dcmqi_reads_every_voxel_in_place(
    tmp_path: Path, kind: str, spacing: float, name: str
) -> None:
    directions = ORIENTATIONS[name]
    if kind == "reversed":  # the normal points the other way
        directions = (*directions[:3], *(-each for each in directions[3:]))
    slices = clinical_series(directions, SpacingBetweenSlices=spacing, SliceThickness=4.0)
    if kind == "a gap":
        drop(5, 6)(slices)
    if kind == "frames":
        slices = as_frames(slices, spacing)
    mask = written(tmp_path / "in", slices)
    found = READERS["dcmqi"](tmp_path / "seg.dcm")
    assert furthest_mm(found, READERS["attributes"](tmp_path / "seg.dcm")) < MOST_MM
    marked = mask.source_images.on_slices(mask.labels)
    assert len(found) == np.count_nonzero(marked)


def test_uneven_slices_get_their_mean_distance(tmp_path: Path) -> None:
    slices = clinical_series(SpacingBetweenSlices=9.0)
    for number, data in enumerate(slices):
        data.ImagePositionPatient[2] += 0.3 * (number % 3)
    mask = written(tmp_path / "in", slices)
    mean_mm = (slices[-1].ImagePositionPatient[2] - slices[0].ImagePositionPatient[2]) / 11
    found = float(measures(tmp_path / "seg.dcm").SpacingBetweenSlices)
    assert found == pytest.approx(mean_mm, abs=1e-6)
    assert found == pytest.approx(mask.geometry.spacing_mm[2], abs=1e-6)


@pytest.mark.parametrize(("thickness", "spacing", "expected"), [(3.0, 0, 3.0), (0, 4.5, 4.5)])
def test_a_single_slice_has_the_distance_with_which_it_was_measured(
    tmp_path: Path, thickness: float, spacing: float, expected: float
) -> None:
    (data,) = clinical_series(slices=1, SliceThickness=thickness, SpacingBetweenSlices=spacing)
    mask = written(tmp_path / "in", [data])
    found = measures(tmp_path / "seg.dcm")
    assert float(found.SpacingBetweenSlices) == expected == mask.geometry.spacing_mm[2]
    assert float(found.SliceThickness) == expected


@pytest.mark.parametrize("thickness", [None, 0, -3, "", [3.0, 1.0]])
def test_a_useless_slice_thickness_is_replaced(tmp_path: Path, thickness: Any) -> None:
    slices = clinical_series()
    assign("SliceThickness", thickness)(slices)
    written(tmp_path / "in", slices)
    assert float(measures(tmp_path / "seg.dcm").SliceThickness) == pytest.approx(STEP_MM)


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_images_without_a_class_are_referenced_as_those_of_their_modality(
    tmp_path: Path, value: Any
) -> None:
    slices = clinical_series()
    for data in slices:
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.SOPClassUID = value
    written(tmp_path / "in", slices)
    (first, *_) = pydicom.dcmread(tmp_path / "seg.dcm").ReferencedSeriesSequence[0][0x0008114A]
    assert first.ReferencedSOPClassUID == CTImageStorage
