"""A mask as contours in a DICOM RT Structure Set, for radiotherapy planning and viewers that draw outlines.

Source: DICOM PS3.3 A.19 (RT Structure Set IOD), C.8.8.5, C.8.8.6 and C.8.8.8.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage
from pydicom.valuerep import format_number_as_ds

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.scans import dicom_objects
from rma_mamba.scans.checks import require_source_images
from rma_mamba.scans.contours import outlines
from rma_mamba.scans.dicom_objects import ANATOMY, LIVER, NAME, SERIES_NUMBERS
from rma_mamba.source_images import SourceImage, SourceImages
from rma_mamba.volume import Mask

_WHAT = "DICOM RTSTRUCT"
_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"  # the (retired) class that the standard asks for here


def write(mask: Mask, path: Path) -> None:
    """Write a structure set with one structure, the liver: closed planar contours on the scan's images.

    An empty mask leaves a structure without contours.

    Raises:
        ConfigError: The scan was no DICOM.
        ScanError: The scan's headers lack what the object needs, or the file cannot be written.
    """
    source = require_source_images(mask.source_images, _WHAT)
    with dicom_objects.building(_WHAT):
        headers = dicom_objects.image_headers(mask, source)
        structures = _empty(headers[0])
        structures.ReferencedFrameOfReferenceSequence = [_references(source, headers)]
        structures.StructureSetROISequence = [_roi(headers[0])]
        structures.ROIContourSequence = [_contours(mask, source, headers)]
        structures.RTROIObservationsSequence = [_observation()]
    dicom_objects.save(structures, path, _WHAT)


def _empty(header: Dataset) -> hd.SOPClass:
    """Patient, study, series, equipment and the name of the structure set."""
    now = datetime.now()
    structures = hd.SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBERS["RTSTRUCT"],
        sop_instance_uid=hd.UID(),
        sop_class_uid=RTStructureSetStorage,
        instance_number=1,
        modality="RTSTRUCT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        patient_sex=header.PatientSex,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        referring_physician_name=header.ReferringPhysicianName,
        series_description=f"Liver contours ({NAME})",
        specific_character_set=header.get("SpecificCharacterSet"),
        **dicom_objects.equipment(),
    )
    structures.copy_patient_and_study_information(header)
    structures.FrameOfReferenceUID = header.FrameOfReferenceUID
    structures.PositionReferenceIndicator = header.PositionReferenceIndicator
    structures.OperatorsName = None
    structures.StructureSetLabel = "Liver"
    structures.StructureSetDate = now.strftime("%Y%m%d")
    structures.StructureSetTime = now.strftime("%H%M%S")
    structures.ApprovalStatus = "UNAPPROVED"
    return structures


def _references(source: SourceImages, headers: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = headers[0].SeriesInstanceUID
    images = zip(source.slices, headers, strict=True)
    series.ContourImageSequence = [_image(image, header) for image, header in images]
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = headers[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = headers[0].FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _image(image: SourceImage, header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if image.frame is not None:
        item.ReferencedFrameNumber = image.frame
    return item


def _roi(header: Dataset) -> Dataset:
    item = Dataset()
    item.ROINumber = 1
    item.ReferencedFrameOfReferenceUID = header.FrameOfReferenceUID
    item.ROIName = "Liver"
    item.ROIGenerationAlgorithm = "AUTOMATIC"
    return item


def _contours(mask: Mask, source: SourceImages, headers: list[Dataset]) -> Dataset:
    column_mm, row_mm = dicom_objects.axes_lps(mask)
    planes = source.on_slices(mask.labels)
    item = Dataset()
    item.ReferencedROINumber = 1
    item.ROIDisplayColor = list(LIVER_RGB)
    found: list[Dataset] = []
    for k, (image, header) in enumerate(zip(source.slices, headers, strict=True)):
        for ring in outlines(planes[:, :, k].T):
            points = image.position_lps + np.outer(ring[:, 0], row_mm)
            points += np.outer(ring[:, 1], column_mm)
            found.append(_contour(points, len(found) + 1, _image(image, header)))
    if found:
        item.ContourSequence = found
    return item


def _contour(points: npt.NDArray[np.float64], number: int, image: Dataset) -> Dataset:
    item = Dataset()
    item.ContourNumber = number
    item.ContourImageSequence = [image]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item.ContourData = [format_number_as_ds(round(value, 6)) for value in points.ravel().tolist()]
    return item


def _observation() -> Dataset:
    item = Dataset()
    item.ObservationNumber = 1
    item.ReferencedROINumber = 1
    item.RTROIInterpretedType = "ORGAN"
    item.ROIInterpreter = None
    item.RTROIIdentificationCodeSequence = [_code(LIVER)]
    item.SegmentedPropertyCategoryCodeSequence = [_code(ANATOMY)]
    return item


def _code(concept: Code) -> pydicom.Dataset:
    item = Dataset()
    item.CodeValue = concept.value
    item.CodingSchemeDesignator = concept.scheme_designator
    item.CodeMeaning = concept.meaning
    return item
