"""A mask as contours in a DICOM RT Structure Set, for radiotherapy planning systems and viewers.

Source: DICOM PS3.3 A.19 (RT Structure Set IOD), C.8.8.5, C.8.8.6 and C.8.8.8.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage
from pydicom.valuerep import format_number_as_ds

from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans.contours import outlines
from rma_mamba.scans.dicom_objects import (
    SERIES_NUMBERS,
    derived_object,
    equipment,
    patient_and_study,
    remarks_text,
    save,
    series_description,
)
from rma_mamba.scans.dicom_structures import Structure, structures_of
from rma_mamba.scans.dicom_uids import DerivedUids
from rma_mamba.source_images import SourceImage, SourceImages
from rma_mamba.volume import LPS_TO_RAS, Mask

_OUTPUT = "DICOM RTSTRUCT"
_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"  # retired SOP class, still required in this sequence


def write(mask: Mask, path: Path) -> None:
    """Write a structure set with the liver, or each class: closed planar contours on the images of the scan.

    An empty mask is written as a structure without contours.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: The headers of the scan are not sufficient, or the file cannot be written.
    """
    with derived_object(mask, _OUTPUT) as (images, headers):
        structures = _empty_structure_set(headers[0], mask, DerivedUids(mask, images))
        structures.ReferencedFrameOfReferenceSequence = [_frame_of_reference(images, headers)]
        found = list(enumerate(structures_of(mask), 1))
        structures.StructureSetROISequence = [
            _roi(headers[0], number, structure, mask.provenance) for number, (structure, _) in found
        ]
        structures.ROIContourSequence = [
            _contours(replace(mask, labels=labels), images, headers, number, structure)
            for number, (structure, labels) in found
        ]
        structures.RTROIObservationsSequence = [
            _observation(number, structure, mask.provenance) for number, (structure, _) in found
        ]
    save(structures, headers[0], path, _OUTPUT)


def _empty_structure_set(header: Dataset, mask: Mask, uids: DerivedUids) -> hd.SOPClass:
    """Patient, study, series, equipment and structure set modules."""
    structures = hd.SOPClass(
        series_instance_uid=uids.series("RTSTRUCT"),
        series_number=SERIES_NUMBERS["RTSTRUCT"],
        sop_instance_uid=uids.instance("RTSTRUCT"),
        sop_class_uid=RTStructureSetStorage,
        instance_number=1,
        modality="RTSTRUCT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=series_description("Liver contours", mask.provenance),
        specific_character_set=header.get("SpecificCharacterSet"),
        **patient_and_study(header),
        **equipment(),
    )
    structures.copy_patient_and_study_information(header)
    structures.FrameOfReferenceUID = header.FrameOfReferenceUID
    structures.PositionReferenceIndicator = header.PositionReferenceIndicator
    structures.OperatorsName = mask.provenance.creator
    structures.StructureSetLabel = "Liver"
    if text := remarks_text(mask.provenance):
        structures.StructureSetDescription = text
    structures.StructureSetDate = structures.StructureSetTime = None  # set with the other dates
    structures.ApprovalStatus = "UNAPPROVED"
    return structures


def _frame_of_reference(images: SourceImages, headers: list[Dataset]) -> Dataset:
    references: dict[str, list[Dataset]] = {}
    for image, header in zip(images.slices, headers, strict=True):
        references.setdefault(header.SeriesInstanceUID, []).append(_image_reference(image, header))
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = headers[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [_series(uid, items) for uid, items in references.items()]
    item = Dataset()
    item.FrameOfReferenceUID = headers[0].FrameOfReferenceUID
    item.RTReferencedStudySequence = [study]
    return item


def _series(uid: str, references: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ContourImageSequence = references
    return series


def _image_reference(image: SourceImage, header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if image.frame is not None:
        item.ReferencedFrameNumber = image.frame
    return item


def _roi(header: Dataset, number: int, structure: Structure, provenance: MaskProvenance) -> Dataset:
    item = Dataset()
    item.ROINumber = number
    item.ReferencedFrameOfReferenceUID = header.FrameOfReferenceUID
    item.ROIName = structure.name
    if text := remarks_text(provenance):
        item.ROIDescription = text
    item.ROIGenerationAlgorithm = provenance.kind.upper()
    return item


def _contours(
    mask: Mask, images: SourceImages, headers: list[Dataset], number: int, structure: Structure
) -> Dataset:
    # steps to the next column and to the next row of an image, LPS+ mm
    to_next_column, to_next_row, _ = (LPS_TO_RAS @ mask.geometry.affine)[:3, :3].T
    planes = images.on_slices(mask.labels)
    item = Dataset()
    item.ReferencedROINumber = number
    item.ROIDisplayColor = list(structure.rgb)
    contours: list[Dataset] = []
    for k, (image, header) in enumerate(zip(images.slices, headers, strict=True)):
        for ring in outlines(planes[:, :, k].T):
            points = image.position_lps + np.outer(ring[:, 0], to_next_row)
            points += np.outer(ring[:, 1], to_next_column)
            reference = _image_reference(image, header)
            contours.append(_contour(points, len(contours) + 1, reference))
    if contours:
        item.ContourSequence = contours
    return item


def _contour(points: npt.NDArray[np.float64], number: int, image: Dataset) -> Dataset:
    item = Dataset()
    item.ContourNumber = number
    item.ContourImageSequence = [image]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item.ContourData = [format_number_as_ds(round(value, 6)) for value in points.ravel().tolist()]
    return item


def _observation(number: int, structure: Structure, provenance: MaskProvenance) -> Dataset:
    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = number
    item.RTROIInterpretedType = structure.interpreted_type
    item.ROIInterpreter = provenance.creator
    item.RTROIIdentificationCodeSequence = [_code_item(structure.kind)]
    item.SegmentedPropertyCategoryCodeSequence = [_code_item(structure.category)]
    return item


def _code_item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
