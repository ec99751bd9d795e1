"""Shared parts of the DICOM SEG, RTSTRUCT and SR writers: codes, equipment, source images, typed errors, saving."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from rma_mamba.conventions import SOFTWARE_NAME, software_version
from rma_mamba.errors import RmaMambaError, ScanError
from rma_mamba.files import atomic_write
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans.checks import require_source_images
from rma_mamba.scans.dicom_parsing import pydicom_messages_suppressed
from rma_mamba.scans.dicom_provenance import complete_provenance
from rma_mamba.scans.dicom_source_headers import source_headers, unique, use_utf_8
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

ANATOMICAL_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
LIVER = codes.SCT.Liver

SERIES_NUMBERS = {"SEG": 9001, "RTSTRUCT": 9002, "SR": 9003, "SC": 9004, "PDF": 9005}

# In place of a required name that is not known.
NOT_STATED = "not stated"

_MAX_NAME, _MAX_TEXT, _CONTINUED = 64, 1024, " ..."

_PHRASES = {
    "automatic": "segmented automatically",
    "semiautomatic": "segmented semi-automatically",
    "manual": "segmented manually",
}


def how_segmented(provenance: MaskProvenance) -> str:
    """How a mask was made, as a phrase for descriptions."""
    return _PHRASES[provenance.kind]


def equipment() -> dict[str, str]:
    """Attributes of the equipment module, as keyword arguments for highdicom."""
    return {
        "manufacturer": SOFTWARE_NAME,
        "manufacturer_model_name": SOFTWARE_NAME,
        "software_versions": software_version(),
        "device_serial_number": software_version(),
    }


def patient_and_study(header: pydicom.Dataset) -> dict[str, Any]:
    """Attributes of the patient and study modules of an image, as keyword arguments for `highdicom.SOPClass`."""
    return {
        "study_instance_uid": header.StudyInstanceUID,
        "patient_id": header.PatientID,
        "patient_name": header.PatientName,
        "patient_birth_date": header.PatientBirthDate,
        "patient_sex": header.PatientSex,
        "accession_number": header.AccessionNumber,
        "study_id": header.StudyID,
        "study_date": header.StudyDate,
        "study_time": header.StudyTime,
        "referring_physician_name": header.ReferringPhysicianName,
    }


def with_quality(description: str, provenance: MaskProvenance) -> str:
    """A description of a series, marked if the quality of the mask is yellow or red: lists of series show it."""
    light = provenance.remarks.light if provenance.remarks else "green"
    mark = "" if light == "green" else f", quality {light}"
    return description[: _MAX_NAME - len(mark)] + mark


def series_description(what: str, provenance: MaskProvenance) -> str:
    """What a series shows, the program that made the mask, and its quality if that is yellow or red."""
    by = f" ({provenance.algorithm})" if provenance.algorithm else ""
    how = ", manual" if provenance.kind == "manual" else by
    return with_quality(f"{what}{how}", provenance)


def remarks_text(provenance: MaskProvenance) -> str:
    """All remarks as one text of at most 1024 characters, the length of a description (ST); "" without remarks."""
    text = " ".join(provenance.remarks.sentences) if provenance.remarks else ""
    text = "".join(each if each.isprintable() else " " for each in text)
    while len(text.encode()) > _MAX_TEXT:
        text = f"{text[: -len(_CONTINUED) - 1].rstrip()}{_CONTINUED}"
    return text


@contextmanager
def derived_object(mask: Mask, output: str) -> Iterator[tuple[SourceImages, list[pydicom.Dataset]]]:
    """Source images of a mask and the header of each, while a DICOM object is built from them.

    Args:
        mask: The mask.
        output: The object ("DICOM SEG"), for errors.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: A header lacks an element that the object requires, or a library rejects it.
    """
    images = require_source_images(mask.source_images, output)
    with _library_errors(output):
        headers = source_headers(mask, images)
        if not _texts(mask).isascii():
            for header in unique(headers):
                use_utf_8(header)
        yield images, headers


def _texts(mask: Mask) -> str:
    """What an object states of a mask and its headers do not."""
    made = mask.provenance
    names = mask.classes.scheme.names if mask.classes else ()
    return " ".join((made.creator or "", made.algorithm or "", remarks_text(made), *names))


def save(dataset: pydicom.Dataset, header: pydicom.Dataset, path: Path, output: str) -> None:
    """Complete a DICOM object with the provenance of its scan, and write it atomically.

    Args:
        dataset: The object.
        header: Header of an image of the scan, from `derived_object`.
        path: The file to write.
        output: The object ("DICOM SEG"), for errors.

    Raises:
        ScanError: It cannot be encoded or written.
    """
    content = BytesIO()
    with _library_errors(output):
        complete_provenance(dataset, header)
        dataset.save_as(content, enforce_file_format=True)
    with atomic_write(path, output) as file:
        file.write(content.getbuffer())


@contextmanager
def _library_errors(output: str) -> Iterator[None]:
    """Suppress messages of the libraries, which quote element values, and turn their errors into ScanError."""
    logger = logging.getLogger("highdicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with pydicom_messages_suppressed():
            yield
    except (RmaMambaError, MemoryError):
        raise
    except OSError as error:
        raise ScanError(
            f"the files of the scan cannot be opened again ({error.strerror or 'input/output error'}); "
            f"expected them to be in place, because a {output} copies parts of their headers. Keep the files until the "
            "object is written."
        ) from error
    except Exception as error:  # corrupt elements raise exceptions of any type
        raise ScanError(
            f"the headers of the scan are not sufficient for a {output} ({type(error).__name__}); expected "
            "complete DICOM headers. Export the series again, or choose another output type."
        ) from error
    finally:
        logger.setLevel(level)
