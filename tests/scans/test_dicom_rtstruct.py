from pathlib import Path

import numpy as np
import pydicom
import pytest

from clinical_series import (
    FRAME_OF_REFERENCE,
    ORIENTATIONS,
    PATIENT,
    enhanced_mask,
    series_mask,
)
from rma_mamba.errors import ConfigError
from rma_mamba.scans import write_mask
from rma_mamba.volume import Geometry, Mask


def contours(path: Path) -> list[tuple[str, np.ndarray]]:
    """The image and the points [point, (x, y, z)] of each contour, LPS mm."""
    (roi,) = pydicom.dcmread(path).ROIContourSequence
    return [
        (
            each.ContourImageSequence[0].ReferencedSOPInstanceUID,
            np.array(each.ContourData, float).reshape(each.NumberOfContourPoints, 3),
        )
        for each in roi.get("ContourSequence", [])
    ]


def enclosed_mm2(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)) / 2)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_contours_enclose_the_masks_area_in_any_orientation(tmp_path: Path, name: str) -> None:
    mask = series_mask(tmp_path / "in", ORIENTATIONS[name])
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    found = contours(tmp_path / "rt.dcm")
    pixel_mm2 = 1.3 * 0.9
    for k, image in enumerate(mask.source_images.slices):
        here = [points for uid, points in found if uid == image.instance_uid]
        expected = np.count_nonzero(mask.labels[:, :, k]) * pixel_mm2
        measured = sum(enclosed_mm2(points - image.position_lps) for points in here)
        # half a pixel less for each outline, half a pixel more for the hole
        assert measured == pytest.approx(expected, abs=0.51 * pixel_mm2 * max(1, len(here)))


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_contours_lie_in_the_plane_of_their_image_and_enclose_the_mask(
    tmp_path: Path, name: str
) -> None:
    mask = series_mask(tmp_path / "in", ORIENTATIONS[name])
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    to_voxel = np.linalg.inv(np.diag([-1, -1, 1, 1]) @ mask.geometry.affine)
    numbers = {image.instance_uid: k for k, image in enumerate(mask.source_images.slices)}
    for uid, points in contours(tmp_path / "rt.dcm"):
        index = points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        assert np.allclose(index[:, 2], numbers[uid], atol=1e-4)
        halves = (index[:, :2] * 2).round() / 2
        assert np.allclose(index[:, :2], halves, atol=1e-3)
        i, j = halves.T
        labels = mask.labels[:, :, numbers[uid]]
        low = labels[np.floor(i).astype(int), np.floor(j).astype(int)]
        high = labels[np.ceil(i).astype(int), np.ceil(j).astype(int)]
        assert (low != high).all()  # each point is midway between inside and outside


@pytest.mark.parametrize("make", [series_mask, enhanced_mask])
def test_a_structure_set_has_the_patient_the_study_and_the_liver_code(tmp_path: Path, make) -> None:
    write_mask(make(tmp_path / "in"), tmp_path / "rt.dcm", "dicom_rtstruct")
    data = pydicom.dcmread(tmp_path / "rt.dcm")
    for keyword, value in PATIENT.items():
        assert str(data.get(keyword) or "") == value, keyword
    (frame,) = data.ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == FRAME_OF_REFERENCE
    (roi,) = data.StructureSetROISequence
    assert (roi.ROIName, roi.ROIGenerationAlgorithm) == ("Liver", "AUTOMATIC")
    (observed,) = data.RTROIObservationsSequence
    assert observed.RTROIIdentificationCodeSequence[0].CodeValue == "10200004"
    assert list(data.ROIContourSequence[0].ROIDisplayColor) == [221, 130, 101]


def test_an_empty_mask_gives_a_structure_without_contours(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    mask = Mask(np.zeros_like(mask.labels), mask.geometry, None, mask.source_images)
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    assert contours(tmp_path / "rt.dcm") == []


def test_a_scan_that_is_not_dicom_is_an_error(tmp_path: Path) -> None:
    mask = Mask(np.ones((3, 3, 3), np.uint8), Geometry((3, 3, 3), np.eye(4)))
    with pytest.raises(ConfigError, match="is not DICOM"):
        write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
