"""A DICOM mask that lacks an element is an error that names the element, not an exception of Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pydicom
import pytest

from clinical_series import series_mask
from rma_mamba.errors import ScanError
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.scans.dicom_mask_elements import missing_element, required_number, required_numbers
from rma_mamba.scans.mask_reader import read_mask_content
from rma_mamba.volume import Volume

SEGMENTS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PixelData"),
    *("PhotometricInterpretation", "PixelRepresentation", "PerFrameFunctionalGroupsSequence"),
    *("SegmentSequence", "SegmentSequence.SegmentNumber"),
    *(
        f"SharedFunctionalGroupsSequence.{name}"
        for name in (
            "PixelMeasuresSequence",
            "PixelMeasuresSequence.PixelSpacing",
            "PlaneOrientationSequence",
            "PlaneOrientationSequence.ImageOrientationPatient",
            "SegmentIdentificationSequence",
            "SegmentIdentificationSequence.ReferencedSegmentNumber",
        )
    ),
    *(
        f"PerFrameFunctionalGroupsSequence.{name}"
        for name in ("PlanePositionSequence", "PlanePositionSequence.ImagePositionPatient")
    ),
)
CONTOURS = (
    *("StructureSetROISequence", "StructureSetROISequence.ROINumber"),
    *("ROIContourSequence.ReferencedROINumber",),
    *(
        f"ROIContourSequence.ContourSequence.{name}"
        for name in ("ContourGeometricType", "ContourData")
    ),
)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, dict[str, Path]]:
    """A scan, and a Segmentation and a Structure Set of it."""
    root = tmp_path_factory.mktemp("elements")
    mask = series_mask(root / "scan")
    paths = {kind: root / f"{kind}.dcm" for kind in ("dicom_seg", "dicom_rtstruct")}
    for kind, path in paths.items():
        write_mask(mask, path, kind)
    return read_scan(root / "scan"), paths


def item(data: Any, place: str) -> tuple[Any, str]:
    """The dataset that holds an element, and the keyword of the element."""
    *above, keyword = place.split(".")
    for each in above:
        data = data[each].value[0]
    return data, keyword


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        *(("dicom_seg", each) for each in SEGMENTS),
        *(("dicom_rtstruct", each) for each in CONTOURS),
    ],
)
def test_an_element_that_is_missing_is_named(
    objects, tmp_path: Path, kind: str, place: str
) -> None:
    scan, paths = objects
    data = pydicom.dcmread(paths[kind])
    holder, keyword = item(data, place)
    del holder[keyword]
    data.save_as(tmp_path / "broken.dcm")
    for grid in (scan, None) if kind == "dicom_seg" else (scan,):
        with pytest.raises(
            ScanError, match=f"cannot be read: it has no {keyword}; expected"
        ) as error:
            read_mask_content(tmp_path / "broken.dcm", grid)
        assert not re.search(r"Error|Dataset|\n", str(error.value))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("PerFrameFunctionalGroupsSequence.PlanePositionSequence.ImagePositionPatient", [1, 2]),
        ("SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing", [1]),
        (
            "SharedFunctionalGroupsSequence.PlaneOrientationSequence.ImageOrientationPatient",
            [1, 0, 0],
        ),
    ],
)
def test_an_element_with_too_few_numbers_is_named(
    objects, tmp_path: Path, place: str, value: list[float]
) -> None:
    scan, paths = objects
    data = pydicom.dcmread(paths["dicom_seg"])
    holder, keyword = item(data, place)
    setattr(holder, keyword, value)
    data.save_as(tmp_path / "broken.dcm")
    with pytest.raises(ScanError, match=f"its {keyword} is not valid; expected [236] numbers"):
        read_mask_content(tmp_path / "broken.dcm", scan)


def test_optional_elements_may_be_missing(objects, tmp_path: Path) -> None:
    scan, paths = objects
    data = pydicom.dcmread(paths["dicom_rtstruct"])
    del data.RTROIObservationsSequence[0].ReferencedROINumber
    data.StructureSetROISequence[0].ROIName = None
    data.save_as(tmp_path / "sparse.dcm")
    expected = read_mask_content(paths["dicom_rtstruct"], scan).liver()
    assert (read_mask_content(tmp_path / "sparse.dcm", scan).liver() == expected).all()


def test_values_that_are_no_numbers_are_named() -> None:
    data = pydicom.Dataset()
    data.PatientName = "x"
    data.SegmentNumber = 3
    assert required_number(data, "SegmentNumber") == 3
    for read in (required_number, lambda *found: required_numbers(*found, 3)):
        with pytest.raises(ScanError, match="it has no PixelSpacing; expected the size of a pixel"):
            read(data, "PixelSpacing")
    assert "it has no Modality; expected a complete" in str(missing_element("Modality"))
