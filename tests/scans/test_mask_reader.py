"""Masks of any tool are read on the grid of their scan, voxel for voxel, or are an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom import uid

from clinical_series import ORIENTATIONS, blob, clinical_series, enhanced_mask, series_mask
from dicom_series import drop, save, tilt
from rma_mamba.errors import ConfigError, GridError, ScanError
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.scans.mask_reader import read_mask, read_mask_content
from rma_mamba.volume import ClassMap, Geometry, Mask, Volume

OBJECTS = {"dicom_seg": "seg.dcm", "dicom_rtstruct": "rt.dcm"}


def scan_of(mask: Mask) -> Volume:
    values = np.zeros(mask.geometry.shape, np.int16)
    return Volume(values, mask.geometry, source_images=mask.source_images)


def written(mask: Mask, folder: Path, kind: str) -> Path:
    write_mask(mask, folder / OBJECTS[kind], kind)  # type: ignore[arg-type]
    return folder / OBJECTS[kind]


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal", "double oblique"])
def test_an_object_is_read_back_voxel_for_voxel(tmp_path: Path, name: str, kind: str) -> None:
    mask = series_mask(tmp_path / "in", ORIENTATIONS[name])
    found = read_mask(written(mask, tmp_path, kind), scan_of(mask))
    assert np.array_equal(found.mask.labels, mask.labels)
    assert found.mask.geometry is mask.geometry
    assert found.mask.classes is None
    assert found.warnings == ()


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_of_a_multi_frame_scan_is_read_back(tmp_path: Path, kind: str) -> None:
    mask = enhanced_mask(tmp_path / "in")
    found = read_mask(written(mask, tmp_path, kind), scan_of(mask)).mask
    assert np.array_equal(found.labels, mask.labels)


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("edit", [drop(5), drop(3, 7), tilt], ids=["missing", "two", "tilted"])
def test_an_object_of_a_repaired_scan_is_the_same_on_its_images(
    tmp_path: Path, edit: Any, kind: str
) -> None:
    slices = clinical_series()
    edit(slices)
    volume = read_scan(save(tmp_path / "in", slices))
    images = volume.source_images
    assert images is not None
    assert not images.is_regular
    labels = blob(volume.geometry.shape)
    mask = Mask(labels, volume.geometry, None, images)
    found = read_mask(written(mask, tmp_path, kind), volume).mask
    again = images.on_slices(found.labels)
    expected = images.on_slices(labels)
    assert np.count_nonzero(again != expected) <= (0 if edit is not tilt else 0.06 * expected.sum())
    assert found.volume_ml == pytest.approx(mask.volume_ml, rel=0.1)


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_nifti_copy_of_the_series_serves_as_the_scan(tmp_path: Path, kind: str) -> None:
    mask = series_mask(tmp_path / "in")
    path = written(mask, tmp_path, kind)
    turned = nib.as_closest_canonical(
        nib.Nifti1Image(mask.labels.astype(np.int16), mask.geometry.affine)
    )
    turned = nib.Nifti1Image(
        np.asarray(turned.dataobj).transpose(2, 0, 1), turned.affine[:, [2, 0, 1, 3]]
    )
    nib.save(turned, tmp_path / "scan.nii")
    found = read_mask(path, read_scan(tmp_path / "scan.nii")).mask
    assert np.array_equal(found.labels, np.asarray(turned.dataobj))


@pytest.mark.parametrize("kind", OBJECTS)
def test_several_classes_keep_names_and_nesting(tmp_path: Path, kind: str) -> None:
    mask = series_mask(tmp_path / "in")
    values = mask.labels.copy()
    values[8:12, 18:22, 4:7] = 2
    values[:2, :2, :2] = 3
    scheme = LabelScheme(names=("liver", "tumour", "spleen"), inside={"tumour": "liver"})
    mask = replace(mask, classes=ClassMap(values, scheme), labels=scheme.liver_in(values))
    found = read_mask(written(mask, tmp_path, kind), scan_of(mask)).mask
    assert found.classes is not None
    assert found.classes.scheme.inside == {"Tumour": "liver"}
    for name, other in (("liver", "liver"), ("tumour", "Tumour"), ("spleen", "Spleen")):
        expected = scheme.in_class(values, name)
        assert np.array_equal(found.classes.scheme.in_class(found.classes.values, other), expected)
    assert np.array_equal(found.labels, mask.labels)
    only = read_mask(tmp_path / OBJECTS[kind], scan_of(mask), labels=[2]).mask
    assert only.classes is None
    assert np.array_equal(only.labels, values == 2)


@pytest.mark.parametrize("kind", ["FRACTIONAL", "LABELMAP", "RLE"])
def test_other_types_of_segmentations_are_read(tmp_path: Path, kind: str) -> None:
    mask = series_mask(tmp_path / "in")
    sources = [pydicom.dcmread(path) for path in sorted((tmp_path / "in").iterdir())]
    sources.sort(key=lambda each: each.ImagePositionPatient[2])
    code = hd.sr.CodedConcept("10200004", "SCT", "Liver")
    algorithm = hd.AlgorithmIdentificationSequence("Other", code, "7")
    segment = hd.seg.SegmentDescription(1, "Leber", code, code, "AUTOMATIC", algorithm)
    frames = mask.labels.transpose(2, 1, 0)
    pixels: Any = frames * np.float32(0.7) if kind == "FRACTIONAL" else frames
    made = hd.seg.Segmentation(
        sources, pixels, "BINARY" if kind == "RLE" else kind, [segment], hd.UID(), 1, hd.UID(), 1,
        "A", "B", "1", "1",
    )  # fmt: skip
    if kind == "RLE":
        made.compress(uid.RLELossless) if made.BitsAllocated > 1 else None
    made.save_as(tmp_path / "seg.dcm")
    found = read_mask(tmp_path / "seg.dcm", scan_of(mask)).mask
    assert np.array_equal(found.labels, mask.labels)
    assert (found.provenance.algorithm, found.provenance.version) == ("Other", "7")


def test_a_segmentation_without_a_scan_has_its_own_grid(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    found = read_mask(written(mask, tmp_path, "dicom_seg")).mask
    assert found.volume_ml == pytest.approx(mask.volume_ml, rel=1e-6)
    assert found.geometry.spacing_mm == pytest.approx(mask.geometry.spacing_mm)
    with pytest.raises(ScanError, match="--scan"):
        read_mask(written(mask, tmp_path, "dicom_rtstruct"))


def test_the_provenance_of_an_object_is_read_back(tmp_path: Path) -> None:
    made = MaskProvenance("semiautomatic", "Roe^Jane", weights_sha256="a" * 64)
    mask = replace(series_mask(tmp_path / "in"), provenance=made)
    assert read_mask(written(mask, tmp_path, "dicom_seg"), scan_of(mask)).mask.provenance == made
    contours = read_mask(written(mask, tmp_path, "dicom_rtstruct"), scan_of(mask)).mask.provenance
    assert (contours.kind, contours.creator) == ("semiautomatic", "Roe^Jane")


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_mask_of_another_scan_is_an_error(tmp_path: Path, kind: str) -> None:
    mask = series_mask(tmp_path / "in")
    path = written(mask, tmp_path, kind)
    other = series_mask(tmp_path / "other", FrameOfReferenceUID="1.2.3")
    with pytest.raises(GridError, match="frame of reference"):
        read_mask(path, scan_of(other))
    moved = mask.geometry.affine.copy()
    moved[:3, 3] += (0.4, 0.0, 1.0)
    with pytest.raises(GridError):
        read_mask(path, Geometry(mask.geometry.shape, moved))
    short = Geometry((*mask.geometry.shape[:2], 4), mask.geometry.affine)
    with pytest.raises(GridError, match="outside"):
        read_mask(path, short)


def test_separate_contours_of_holes_and_open_contours(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    path = written(mask, tmp_path, "dicom_rtstruct")
    data = pydicom.dcmread(path)
    (roi,) = data.ROIContourSequence
    first = max(roi.ContourSequence, key=lambda each: each.NumberOfContourPoints)
    points = np.array(first.ContourData, float).reshape(-1, 3)
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    hole = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence[0]
    small = centre + np.array([[-2, 6, 0], [2, 6, 0], [2, 9, 0], [-2, 9, 0]])
    hole.ContourData = [f"{value:.3f}" for value in small.ravel()]
    point = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence[0]
    point.ContourGeometricType = "POINT"
    roi.ContourSequence = [*roi.ContourSequence, first, hole, point]
    data.save_as(path)
    found = read_mask(path, scan_of(mask))
    lost = mask.labels.astype(bool) & ~found.mask.labels.astype(bool)
    assert 0 < lost.sum() < 40  # the hole alone: the repeated contour did not cancel its twin
    assert "1 open contours or points" in found.warnings[0]


LABEL_MAPS = {
    "nii": lambda image, path: nib.save(image, path),
    "nrrd": lambda image, path: _itk(image, path),
    "mha": lambda image, path: _itk(image, path),
}


def _itk(image: Any, path: Path) -> None:
    made = SimpleITK.GetImageFromArray(np.asarray(image.dataobj).T)
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    made.SetSpacing(spacing.tolist())
    made.SetOrigin(affine[:3, 3].tolist())
    made.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    SimpleITK.WriteImage(made, str(path))


@pytest.mark.parametrize("suffix", LABEL_MAPS)
@pytest.mark.parametrize("turn", ["as it is", "turned", "cropped"])
def test_a_label_map_is_brought_onto_the_grid(tmp_path: Path, suffix: str, turn: str) -> None:
    mask = series_mask(tmp_path / "in")
    labels = mask.labels.copy()
    labels[0] = labels[1] = 0
    image: Any = nib.Nifti1Image(labels, mask.geometry.affine)
    if turn == "turned":
        image = nib.as_closest_canonical(image)
    elif turn == "cropped":
        image = image.slicer[2:, 1:-1, 1:]
    LABEL_MAPS[suffix](image, tmp_path / f"mask.{suffix}")
    found = read_mask(tmp_path / f"mask.{suffix}", scan_of(mask)).mask
    expected = labels.copy()
    if turn == "cropped":
        expected[:2] = expected[:, 0] = expected[:, -1] = expected[:, :, 0] = 0
    assert np.array_equal(found.labels, expected)
    assert found.source_images is mask.source_images
    assert found.provenance.algorithm is None


def test_a_label_map_off_the_grid_or_beyond_it_is_an_error(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    affine = mask.geometry.affine.copy()
    affine[0, 3] += 0.4
    nib.save(nib.Nifti1Image(mask.labels, affine), tmp_path / "moved.nii")
    with pytest.raises(GridError, match="differs from"):
        read_mask(tmp_path / "moved.nii", scan_of(mask))
    coarse = nib.Nifti1Image(mask.labels[::2], mask.geometry.affine @ np.diag([2, 1, 1, 1]))
    nib.save(coarse, tmp_path / "coarse.nii")
    with pytest.raises(GridError, match="differs from"):
        read_mask(tmp_path / "coarse.nii", scan_of(mask))
    larger = np.pad(mask.labels, 1)
    larger[0, 5, 5] = 1
    shifted = mask.geometry.affine.copy()
    shifted[:3, 3] -= shifted[:3, :3].sum(axis=1)
    nib.save(nib.Nifti1Image(larger, shifted), tmp_path / "larger.nii")
    with pytest.raises(GridError, match="1 voxels of the mask lie outside"):
        read_mask(tmp_path / "larger.nii", scan_of(mask))
    larger[0, 5, 5] = 0
    nib.save(nib.Nifti1Image(larger, shifted), tmp_path / "larger.nii")
    found = read_mask(tmp_path / "larger.nii", scan_of(mask)).mask
    assert np.array_equal(found.labels, mask.labels)


def test_label_values_become_classes_by_name(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    values = mask.labels.copy()
    values[8:12, 18:22, 4:7] = 4
    nib.save(nib.Nifti1Image(values, mask.geometry.affine), tmp_path / "mask.nii")
    found = read_mask(
        tmp_path / "mask.nii", scan_of(mask), classes={"liver": (1, 4), "tumour": (4,)}
    ).mask
    assert found.classes is not None
    assert found.classes.scheme == LabelScheme(
        names=("liver", "tumour"), inside={"tumour": "liver"}
    )
    assert np.array_equal(found.labels, values > 0)
    other = read_mask(tmp_path / "mask.nii", scan_of(mask), labels=[7])
    assert other.has_other_labels


def test_structures_that_overlap_in_part_are_stated(tmp_path: Path) -> None:
    grid = Geometry((10, 10, 10), np.diag([10.0, 10, 10, 1]))
    values = np.zeros((10, 10, 10), np.uint8)
    values[:5], values[5:7], values[7:] = 1, 2, 3
    nib.save(nib.Nifti1Image(values, grid.affine), tmp_path / "mask.nii")
    classes = {"liver": (1, 2), "tumour": (2,), "spleen": (2, 3)}
    found = read_mask(tmp_path / "mask.nii", grid, classes=classes)
    assert any("overlap by 200.0 mL" in each for each in found.warnings)


def test_more_structures_than_a_mask_can_hold(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    path = written(mask, tmp_path, "dicom_rtstruct")
    data = pydicom.dcmread(path)
    rois, contours = [], []
    for number in range(1, 10):
        again = pydicom.dcmread(path)
        roi, contour = again.StructureSetROISequence[0], again.ROIContourSequence[0]
        roi.ROINumber = contour.ReferencedROINumber = number
        roi.ROIName = "Liver" if number == 9 else f"{number} ?"
        rois, contours = [*rois, roi], [*contours, contour]
    data.StructureSetROISequence, data.ROIContourSequence = rois, contours
    data.RTROIObservationsSequence = []
    data.save_as(path)
    with pytest.raises(ConfigError, match="9 structures"):
        read_mask(path, scan_of(mask))
    content = read_mask_content(path, scan_of(mask))
    assert [each.is_liver for each in content.structures] == [False] * 8 + [True]
    assert np.array_equal(content.liver(), mask.labels > 0)
    assert len(read_mask(path, scan_of(mask), labels=[9]).mask.labels) == mask.geometry.shape[0]


def test_a_corrupt_object_is_an_error_without_its_content(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    path = written(mask, tmp_path, "dicom_seg")
    data = pydicom.dcmread(path)
    del data.PixelData
    data.save_as(path)
    with pytest.raises(ScanError, match="cannot be read") as caught:
        read_mask(path, scan_of(mask))
    assert "Doe" not in str(caught.value)


def test_a_folder_with_one_object_is_that_object(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    (tmp_path / "out").mkdir()
    written(mask, tmp_path / "out", "dicom_seg")
    found = read_mask(tmp_path / "out", scan_of(mask)).mask
    assert np.array_equal(found.labels, mask.labels)
    written(mask, tmp_path / "out", "dicom_rtstruct")
    with pytest.raises(ScanError, match="2 DICOM segmentations"):
        read_mask(tmp_path / "out", scan_of(mask))


def test_a_mask_of_several_layers_is_an_error_with_advice(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6, 2), np.uint8), np.eye(4)), tmp_path / "mask.nii")
    with pytest.raises(ScanError, match="2 layers"):
        read_mask(tmp_path / "mask.nii")
    (tmp_path / "mask.nii").write_bytes(b"nothing")
    with pytest.raises(ScanError, match="expected") as caught:
        read_mask(tmp_path / "mask.nii")
    assert "layers" not in str(caught.value)
