"""For viewers that show neither segmentations nor structured reports: an image, and a document.

Source: DICOM PS3.3 A.8.1 and C.8.6 (Secondary Capture Image), A.45.1 and C.24 (Encapsulated PDF).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.scans.dicom_objects import (
    SERIES_NUMBERS,
    derived_object,
    equipment,
    patient_and_study,
    save,
    with_quality,
)
from rma_mamba.scans.dicom_source_headers import unique
from rma_mamba.scans.dicom_uids import DerivedUids
from rma_mamba.volume import Mask

_IMAGE, _DOCUMENT = "DICOM secondary capture", "DICOM encapsulated PDF"
_TITLE = f"Liver report ({SOFTWARE_NAME})"


def write_image(mask: Mask, pixels: npt.NDArray[np.uint8], path: Path) -> None:
    """Write an image as a secondary capture.

    Args:
        mask: The mask, with its source images.
        pixels: RGB [row, column, 3].
        path: The file to write.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: The headers of the scan are not sufficient, or the file cannot be written.
    """
    with derived_object(mask, _IMAGE) as (images, headers):
        uids = DerivedUids(mask, images)
        capture = hd.sc.SCImage.from_ref_dataset(
            headers[0],
            pixel_array=np.ascontiguousarray(pixels),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "P"),
            series_instance_uid=uids.series("SC"),
            series_number=SERIES_NUMBERS["SC"],
            sop_instance_uid=uids.instance("SC"),
            instance_number=1,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            series_description=with_quality(f"Liver preview ({SOFTWARE_NAME})", mask.provenance),
            **equipment(),
        )
        _describe_patient_study(capture, headers[0])
        capture.PatientOrientation = None  # several planes
        capture.Laterality = None  # of a paired body part
        capture.BurnedInAnnotation = "NO"
        capture.ImageType = ["DERIVED", "SECONDARY"]
        capture.ConversionType = "WSD"  # workstation
        capture.SourceImageSequence = [_reference(header) for header in unique(headers)]
    save(capture, headers[0], path, _IMAGE)


def write_document(mask: Mask, content: bytes, path: Path, *, names_patient: bool) -> None:
    """Write a PDF file as an encapsulated document.

    Args:
        mask: The mask, with its source images.
        content: The PDF file.
        path: The file to write.
        names_patient: Whether the patient can be identified from the pages.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: The headers of the scan are not sufficient, or the file cannot be written.
    """
    with derived_object(mask, _DOCUMENT) as (images, headers):
        document = _empty_document(headers[0], DerivedUids(mask, images))
        document.SeriesDescription = with_quality(_TITLE, mask.provenance)
        document.DocumentTitle = document.SeriesDescription
        document.SourceInstanceSequence = [_reference(header) for header in unique(headers)]
        document.BurnedInAnnotation = "YES" if names_patient else "NO"
        document.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
        document.EncapsulatedDocumentLength = len(content)
    save(document, headers[0], path, _DOCUMENT)


def _empty_document(header: Dataset, uids: DerivedUids) -> Any:
    document = hd.SOPClass(
        series_instance_uid=uids.series("PDF"),
        series_number=SERIES_NUMBERS["PDF"],
        sop_instance_uid=uids.instance("PDF"),
        sop_class_uid=EncapsulatedPDFStorage,
        instance_number=1,
        modality="DOC",
        series_description=_TITLE,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **patient_and_study(header),
        **equipment(),
    )
    document.copy_patient_and_study_information(header)
    _describe_patient_study(document, header)
    document.InstanceNumber, document.Laterality = 1, None
    document.ConversionType = "WSD"
    document.AcquisitionDateTime = None
    document.ContentDate = document.ContentTime = None  # set with the other dates
    document.ConceptNameCodeSequence = []
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    return document


def _describe_patient_study(dataset: Dataset, header: Dataset) -> None:
    """Elements of the study by which archives show it."""
    for keyword in ("StudyDescription", "PatientAge"):
        if keyword in header and keyword not in dataset:
            dataset[keyword] = header[keyword]


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item
