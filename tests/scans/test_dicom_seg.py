"""DICOM SEG, read back by means that share nothing with the writer."""

import logging
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.spatial import KDTree

from clinical_series import (
    FRAME_OF_REFERENCE,
    ORIENTATIONS,
    PATIENT,
    STUDY,
    blob,
    clinical_series,
    enhanced_mask,
    series_mask,
)
from dicom_series import drop, save, tilt
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.volume import Geometry, Mask
from seg_readers import READERS, furthest_mm, points_by_attributes, true_points

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "scans_dcmqi"
MOST_MM = 1e-4


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_voxel_keeps_its_position_in_any_orientation(
    tmp_path, name: str, reader: str
) -> None:
    mask = series_mask(tmp_path / "in", ORIENTATIONS[name])
    write_mask(mask, tmp_path / "seg.dcm")
    found, expected = READERS[reader](tmp_path / "seg.dcm"), true_points(mask)
    assert furthest_mm(found, expected) < MOST_MM
    moved = found + np.array([0, 2 * MOST_MM, 0])
    assert furthest_mm(moved, expected) > MOST_MM  # the comparison can fail


def test_a_segmentation_has_the_patient_the_study_and_the_liver_code(tmp_path: Path) -> None:
    write_mask(series_mask(tmp_path / "in"), tmp_path / "seg.dcm")
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    for keyword, value in PATIENT.items():
        assert str(data.get(keyword) or "") == value, keyword
    assert (data.StudyInstanceUID, data.FrameOfReferenceUID) == (STUDY, FRAME_OF_REFERENCE)
    assert (data.Modality, data.SegmentationType) == ("SEG", "BINARY")
    (segment,) = data.SegmentSequence
    (category,) = segment.SegmentedPropertyCategoryCodeSequence
    (kind,) = segment.SegmentedPropertyTypeCodeSequence
    assert (category.CodeValue, category.CodingSchemeDesignator) == ("123037004", "SCT")
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("10200004", "SCT")
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentAlgorithmName == "rma-mamba"
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion
    # what other tools write for RGB 221, 130, 101
    assert list(segment.RecommendedDisplayCIELabValue) == [41661, 41167, 40792]


@pytest.mark.parametrize("make", [series_mask, enhanced_mask])
def test_each_frame_references_its_image(tmp_path: Path, make) -> None:
    mask = make(tmp_path / "in")
    write_mask(mask, tmp_path / "seg.dcm")
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    slices = mask.source_images.slices
    places = {(image.instance_uid, image.frame): image.position_lps for image in slices}
    assert data.NumberOfFrames == np.count_nonzero(mask.labels.any(axis=(0, 1)))
    for group in data.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        frame = image.get("ReferencedFrameNumber")
        key = image.ReferencedSOPInstanceUID, None if frame is None else int(frame)
        position = list(map(float, group.PlanePositionSequence[0].ImagePositionPatient))
        assert position == pytest.approx(places[key])
    assert furthest_mm(points_by_attributes(tmp_path / "seg.dcm"), true_points(mask)) < MOST_MM


@pytest.mark.parametrize("make", [series_mask, enhanced_mask])
def test_an_empty_mask_gives_an_object_without_foreground(tmp_path: Path, make) -> None:
    mask = make(tmp_path / "in")
    mask = Mask(np.zeros_like(mask.labels), mask.geometry, mask.header, mask.source_images)
    write_mask(mask, tmp_path / "seg.dcm")
    assert len(points_by_attributes(tmp_path / "seg.dcm")) == 0


@pytest.mark.parametrize("edit", [drop(5), tilt], ids=["a slice is missing", "tilted gantry"])
def test_a_mask_on_a_repaired_grid_is_mapped_back_to_the_images(tmp_path: Path, edit) -> None:
    slices = clinical_series()
    edit(slices)
    volume = read_scan(save(tmp_path / "in", slices))
    assert volume.warnings
    labels = blob(volume.geometry.shape)
    labels[1, 1] = 0  # the speck lies where no tilted image reaches
    mask = Mask(labels, volume.geometry, None, volume.source_images)
    write_mask(mask, tmp_path / "seg.dcm")
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    places = KDTree([list(map(float, each.ImagePositionPatient)) for each in slices])
    for group in data.PerFrameFunctionalGroupsSequence:
        place = list(map(float, group.PlanePositionSequence[0].ImagePositionPatient))
        assert places.query(place)[0] < MOST_MM
    found, voxels = points_by_attributes(tmp_path / "seg.dcm"), true_points(mask)
    assert KDTree(voxels).query(found)[0].max() < 1.5  # mm: between two voxels, the nearer decides
    assert KDTree(found).query(voxels)[0].max() < 2.8  # mm: the next slice, where one is missing


def test_a_scan_that_is_not_dicom_is_an_error_in_one_line(tmp_path: Path) -> None:
    labels = blob((10, 10, 10))
    mask = Mask(labels, Geometry(labels.shape, np.eye(4)))
    with pytest.raises(ConfigError, match="is not DICOM") as caught:
        write_mask(mask, tmp_path / "seg.dcm")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


ODD = {
    "PatientSex": "Male",
    "PatientBirthDate": "1970",
    "StudyTime": "10:11",
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Jörg",
    "SliceThickness": None,
    "FrameOfReferenceUID": "",
}


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_invalid_header_values_are_replaced_without_a_message(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    mask = series_mask(tmp_path / "in", **ODD)
    caplog.clear()  # messages from writing the series
    write_mask(mask, tmp_path / "seg.dcm")
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    assert caplog.text == ""
    seg, rt = (pydicom.dcmread(tmp_path / name) for name in ("seg.dcm", "rt.dcm"))
    assert str(seg.PatientName) == str(rt.PatientName) == "Müller^Jörg"
    assert not seg.PatientSex
    assert seg.FrameOfReferenceUID == rt.FrameOfReferenceUID != ""
    assert furthest_mm(points_by_attributes(tmp_path / "seg.dcm"), true_points(mask)) < MOST_MM


@pytest.mark.parametrize(
    ("characters", "name"),
    [("ISO_IR 192", "Дое^Джон"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"), ("", "A^B")],
)
def test_names_in_any_script_stay_readable(tmp_path: Path, characters, name: str) -> None:
    mask = series_mask(tmp_path / "in", SpecificCharacterSet=characters, PatientName=name)
    write_mask(mask, tmp_path / "seg.dcm")
    assert str(pydicom.dcmread(tmp_path / "seg.dcm").PatientName) == name


def test_missing_uids_raise_an_error_without_patient_data(tmp_path) -> None:
    mask = series_mask(tmp_path / "in", StudyInstanceUID="")
    with pytest.raises(ScanError, match="has no StudyInstanceUID") as caught:
        write_mask(mask, tmp_path / "seg.dcm")
    assert "Doe" not in str(caught.value)


def test_removed_files_raise_an_error_without_their_names(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "Doe")
    for file in (tmp_path / "Doe").iterdir():
        file.unlink()
    with pytest.raises(ScanError, match="cannot be opened again") as caught:
        write_mask(mask, tmp_path / "seg.dcm")
    assert "Doe" not in str(caught.value)
    assert not (tmp_path / "seg.dcm").exists()


@pytest.mark.skipif(not REAL.exists(), reason="the published scans are not here")
def test_a_real_segmentation_is_written_again_voxel_for_voxel(tmp_path: Path) -> None:
    scan = tmp_path / "in"
    scan.mkdir()
    for name in ("01.dcm", "02.dcm", "03.dcm"):
        (scan / name).write_bytes((REAL / name).read_bytes())
    volume = read_scan(scan)
    theirs = points_by_attributes(REAL / "liver.dcm")
    to_voxel = np.linalg.inv(volume.geometry.affine)
    index = (theirs * [-1, -1, 1]) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    labels = np.zeros(volume.geometry.shape, np.uint8)
    labels[tuple(index.round().astype(int).T)] = 1
    write_mask(Mask(labels, volume.geometry, None, volume.source_images), tmp_path / "seg.dcm")
    ours = points_by_attributes(tmp_path / "seg.dcm")
    assert len(ours) == len(theirs) > 1000
    assert furthest_mm(ours, theirs) < MOST_MM
    old, new = (pydicom.dcmread(path) for path in (REAL / "liver.dcm", tmp_path / "seg.dcm"))
    assert new.FrameOfReferenceUID == old.FrameOfReferenceUID
    colours = [each.SegmentSequence[0].RecommendedDisplayCIELabValue for each in (old, new)]
    assert colours[0] == colours[1]
