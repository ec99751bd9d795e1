"""DICOM objects as they are exchanged with archives: whole objects in memory, and queries for them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread

from rma_mamba.files import replace_file
from rma_mamba.scans.dicom_parsing import pydicom_messages_suppressed


def read_object(path: Path) -> Dataset:
    """The object in a file, to be sent.

    Raises:
        OSError: The file cannot be read.
    """
    return dcmread(path)


def write_object(dataset: Dataset, path: Path) -> None:
    """Write a received object as it is, atomically.

    Raises:
        ScanError: The file cannot be written.
    """
    content = BytesIO()
    with pydicom_messages_suppressed():
        dataset.save_as(content, enforce_file_format=True)
    replace_file(path, content.getvalue(), "received image")


def instance_query(study: str, series: str, instance: str) -> Dataset:
    """The query (C-FIND, study root) for one instance, by its UIDs."""
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID, query.SeriesInstanceUID = study, series
    query.SOPInstanceUID = instance
    return query


def has_failures(answer: Dataset) -> bool:
    """Whether the answer of STOW-RS names objects that were not stored."""
    return bool(answer.get("FailedSOPSequence"))
