"""DICOM objects of any kind of series reference its images and show the liver at its position in mm."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, uid

import jpeg_lossless
from ball_series import CENTRE_MM, RADIUS_MM, SIZE, scan
from clinical_series import PATIENT
from dicom_series import CORONAL, SERIES, drop, enhanced, save
from rma_mamba.scans import read_scan, write_mask, write_structured_report
from rma_mamba.volume import Mask
from seg_readers import (
    assert_valid,
    furthest_mm,
    needs_validator,
    points_by_attributes,
    points_by_dcmqi,
)

MIRRORED = (-1, 0, 0, 0, 1, 0)
BETWEEN_HU = 10  # halfway from fat to liver
JITTER_MM = 0.2 * np.array([0, 1, -1, 0, 1] * 4)

# What a mask may be off by where slices were resampled; elsewhere its edge is that of the pixels.
RESAMPLED_MM, EXACT_MM = 1.0, 0.05


def whole(**settings: Any) -> list[Dataset]:
    """Slices through the ball, each with every module that a hospital's has."""
    slices = scan(**settings)
    for number, data in enumerate(slices):
        for keyword, value in PATIENT.items():
            setattr(data, keyword, value)
        data.SeriesNumber, data.InstanceNumber = 3, number + 1
        data.Manufacturer, data.KVP, data.PatientPosition = "Maker", 120, "HFS"
    return slices


def missing(**settings: Any) -> list[Dataset]:
    slices = whole(**settings)
    drop(7, 11, 12)(slices)
    return slices


def doubled() -> list[Dataset]:
    """Some slices twice: two files alike, and two alike but for their identifier."""
    slices = whole()
    renamed = copy.deepcopy(slices[9])
    renamed.SOPInstanceUID, renamed.InstanceNumber = f"{SERIES}.99", 99
    return [*slices, copy.deepcopy(slices[4]), renamed]


def compressed(syntax: str, slices: list[Dataset]) -> list[Dataset]:
    for data in slices:
        data.compress(syntax, generate_instance_uid=False)
    return slices


def frames(slices: list[Dataset], syntax: str | None = None) -> list[Dataset]:
    """The same as one multi-frame object, whose frames do not follow their positions."""
    order = np.random.default_rng(3).permutation(len(slices))
    data = enhanced([slices[k] for k in order])
    for keyword, value in PATIENT.items():
        setattr(data, keyword, value)
    return compressed(syntax, [data]) if syntax else [data]


SERIES_OF: dict[str, Any] = {
    "shuffled": whole,
    "missing": missing,
    "missing and coronal": lambda: missing(directions=CORONAL),
    "mirrored": lambda: whole(directions=MIRRORED),
    "mirrored and missing": lambda: missing(directions=MIRRORED),
    "doubled": doubled,
    "tilted": lambda: whole(slide_mm=0.7),
    "uneven": lambda: whole(jitter_mm=JITTER_MM),
    "RLE": lambda: compressed(uid.RLELossless, whole()),
    "JPEG-LS, missing": lambda: compressed(uid.JPEGLSLossless, missing()),
    "JPEG Lossless": lambda: [jpeg_lossless.compressed(data) for data in whole()],
    "multi-frame": lambda: frames(whole()),
    "multi-frame, missing": lambda: frames(missing()),
    "multi-frame, mirrored, RLE": lambda: frames(whole(directions=MIRRORED), uid.RLELossless),
    "multi-frame, tilted": lambda: frames(whole(slide_mm=0.7)),
}

Places = dict[tuple[str, int | None], tuple[float, ...]]


def places_of(written: list[Dataset]) -> Places:
    """From the objects as they were written: where each image or frame lies, by its identifier and number."""
    found: Places = {}
    for data in written:
        if "PerFrameFunctionalGroupsSequence" not in data:
            found[str(data.SOPInstanceUID), None] = tuple(map(float, data.ImagePositionPatient))
            continue
        for number, group in enumerate(data.PerFrameFunctionalGroupsSequence, start=1):
            position = group.PlanePositionSequence[0].ImagePositionPatient
            found[str(data.SOPInstanceUID), number] = tuple(map(float, position))
    return found


def named(item: Dataset) -> tuple[str, int | None]:
    number = item.get("ReferencedFrameNumber")
    return str(item.ReferencedSOPInstanceUID), None if number is None else int(number)


def mask_of(folder: Path, *, frame: int | None = None) -> Mask:
    volume = read_scan(folder, volume=frame)
    labels = (volume.values > BETWEEN_HU).astype(np.uint8)
    return Mask(labels, volume.geometry, volume.header, volume.source_images)


def distance_mm(points: Any) -> Any:
    return np.linalg.norm(points - CENTRE_MM, axis=-1)


def assert_ball_on_its_images(path: Path, written: list[Dataset], tolerance_mm: float) -> None:
    """Each frame lies on the image that it names; all pixels of these within the ball are marked, no others."""
    data = pydicom.dcmread(path)
    places, seen = places_of(written), set()
    for group in data.PerFrameFunctionalGroupsSequence:
        image = named(group.DerivationImageSequence[0].SourceImageSequence[0])
        position = group.PlanePositionSequence[0].ImagePositionPatient
        assert tuple(map(float, position)) == pytest.approx(places[image], abs=1e-6)
        seen.add(image)
    found = points_by_attributes(path)
    assert distance_mm(found).max() <= RADIUS_MM + tolerance_mm
    expected = [pixels_of_image(written, places[image]) for image in sorted(seen, key=str)]
    inside = sum(int((distance_mm(each) < RADIUS_MM - tolerance_mm).sum()) for each in expected)
    marked = int((distance_mm(found) < RADIUS_MM - tolerance_mm).sum())
    assert marked == inside > 1000
    for place in set(places.values()) - {places[image] for image in seen}:
        assert distance_mm(pixels_of_image(written, place)).min() > RADIUS_MM - tolerance_mm


def pixels_of_image(written: list[Dataset], position: tuple[float, ...]) -> Any:
    """Centres of the pixels of an image at this place (PS3.3 C.7.6.2.1.1): [row, column, (x, y, z)]."""
    if "SharedFunctionalGroupsSequence" in written[0]:
        shared = written[0].SharedFunctionalGroupsSequence[0]
        direction = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    else:
        direction, spacing = written[0].ImageOrientationPatient, written[0].PixelSpacing
    along_row, along_column = np.array(direction, float).reshape(2, 3)
    rows, columns = np.indices(SIZE)[..., None]
    return (
        np.array(position)
        + rows * float(spacing[0]) * along_column
        + columns * float(spacing[1]) * along_row
    )


def tolerance_of(name: str) -> float:
    return RESAMPLED_MM if name.endswith(("tilted", "uneven")) else EXACT_MM


@pytest.mark.parametrize("name", SERIES_OF)
def test_a_seg_shows_the_ball_on_the_images_that_it_references(tmp_path: Path, name: str) -> None:
    written = SERIES_OF[name]()
    mask = mask_of(save(tmp_path / "in", written))
    write_mask(mask, tmp_path / "seg.dcm")
    assert_ball_on_its_images(tmp_path / "seg.dcm", written, tolerance_of(name))


def test_the_ball_comparison_can_fail(tmp_path: Path) -> None:
    written = whole()
    mask = mask_of(save(tmp_path / "in", written))
    moved = Mask(np.roll(mask.labels, 1, axis=2), mask.geometry, None, mask.source_images)
    write_mask(moved, tmp_path / "seg.dcm")
    with pytest.raises(AssertionError):
        assert_ball_on_its_images(tmp_path / "seg.dcm", written, RESAMPLED_MM)


@pytest.mark.parametrize("name", SERIES_OF)
def test_contours_enclose_the_ball_in_the_images_that_they_reference(
    tmp_path: Path, name: str
) -> None:
    written = SERIES_OF[name]()
    mask = mask_of(save(tmp_path / "in", written))
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    data, places = pydicom.dcmread(tmp_path / "rt.dcm"), places_of(written)
    normal = np.cross(*mask.geometry.affine[:3, :2].T) * [-1, -1, 1]
    normal /= np.linalg.norm(normal)
    contours = data.ROIContourSequence[0].ContourSequence
    assert len(contours) > 10
    for each in contours:
        points = np.array(each.ContourData, float).reshape(-1, 3)
        place = places[named(each.ContourImageSequence[0])]
        assert np.abs((points - place) @ normal).max() < 1e-4
        # midway between a pixel inside and one outside: half a pixel (1.5 mm) at most
        apart = np.abs(distance_mm(points) - RADIUS_MM)
        assert apart.max() < 0.75 + tolerance_of(name)
    (frame,) = data.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == SERIES
    assert {named(each) for each in series.ContourImageSequence} == {
        (image.instance_uid, image.frame) for image in mask.source_images.slices
    }


@pytest.mark.parametrize("name", ["missing", "doubled", "tilted", "multi-frame, missing"])
def test_a_structured_report_references_the_measured_images(tmp_path: Path, name: str) -> None:
    written = SERIES_OF[name]()
    mask = mask_of(save(tmp_path / "in", written))
    write_structured_report(mask, {"volume_ml": 24.0}, tmp_path / "sr.dcm")
    data = pydicom.dcmread(tmp_path / "sr.dcm")
    images = {image.instance_uid for image in mask.source_images.slices}
    (study,) = data.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == SERIES
    assert {str(each.ReferencedSOPInstanceUID) for each in series.ReferencedSOPSequence} == images
    listed = [each for each in data.iterall() if each.keyword == "ReferencedFrameNumber"]
    frames_ = [int(number) for each in listed for number in np.atleast_1d(each.value)]
    expected = [image.frame for image in mask.source_images.slices if image.frame is not None]
    assert sorted(frames_) == sorted(expected)
    assert images <= {str(data.SOPInstanceUID) for data in written}


@pytest.mark.parametrize("kind", ["dicom_seg", "dicom_rtstruct"])
def test_only_the_echo_that_was_read_is_referenced(tmp_path: Path, kind: Any) -> None:
    slices = [*whole(), *whole()]
    for number, data in enumerate(slices):
        data.Modality, data.EchoTime = "MR", 2.3 if number < len(slices) // 2 else 4.6
    data = frames(slices)[0]
    mask = mask_of(save(tmp_path / "in", [data]), frame=2)
    write_mask(mask, tmp_path / "out.dcm", kind)
    second = {
        number
        for number, group in enumerate(data.PerFrameFunctionalGroupsSequence, start=1)
        if group.MREchoSequence[0].EffectiveEchoTime == 4.6
    }
    out = pydicom.dcmread(tmp_path / "out.dcm")
    if kind == "dicom_seg":
        assert_ball_on_its_images(tmp_path / "out.dcm", [data], EXACT_MM)
        items = [
            group.DerivationImageSequence[0].SourceImageSequence[0]
            for group in out.PerFrameFunctionalGroupsSequence
        ]
    else:
        contours = out.ROIContourSequence[0].ContourSequence
        items = [each.ContourImageSequence[0] for each in contours]
    assert len(items) > 10
    assert {named(each)[1] for each in items} <= second


@pytest.mark.parametrize("name", ["mirrored", "missing and coronal", "multi-frame, mirrored, RLE"])
def test_dcmqi_finds_the_ball_at_its_position(tmp_path: Path, name: str) -> None:
    write_mask(mask_of(save(tmp_path / "in", SERIES_OF[name]())), tmp_path / "seg.dcm")
    found = points_by_dcmqi(tmp_path / "seg.dcm")
    assert furthest_mm(found, points_by_attributes(tmp_path / "seg.dcm")) < 1e-4
    assert distance_mm(found).max() <= RADIUS_MM + EXACT_MM


@needs_validator
@pytest.mark.parametrize("name", ["mirrored and missing", "tilted", "multi-frame, missing"])
def test_objects_of_repaired_scans_are_valid(tmp_path: Path, name: str) -> None:
    mask = mask_of(save(tmp_path / "in", SERIES_OF[name]()))
    write_mask(mask, tmp_path / "seg.dcm")
    write_mask(mask, tmp_path / "rt.dcm", "dicom_rtstruct")
    write_structured_report(
        mask, {"volume_ml": 24.0}, tmp_path / "sr.dcm", segmentation=tmp_path / "seg.dcm"
    )
    for file in ("seg.dcm", "rt.dcm", "sr.dcm"):
        assert_valid(tmp_path / file)
