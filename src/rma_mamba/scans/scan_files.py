"""All files that a scan consists of."""

from __future__ import annotations

from pathlib import Path

from rma_mamba.errors import RmaMambaError
from rma_mamba.folder_tree import folder_tree
from rma_mamba.scans.earlier_results import without_results
from rma_mamba.scans.formats import detect_format, has_dicom_prefix
from rma_mamba.scans.itk_headers import read_header
from rma_mamba.scans.nifti_pairs import header_and_image


def scan_files(scan: Path) -> list[Path]:
    """The files of a scan: both files of a pair, a header and its data file, all files of a folder except results.

    Raises:
        OSError: A folder cannot be read.
    """
    if scan.is_dir():
        tree = folder_tree(scan)
        return [path for folder in tree.walk() for path in without_results(folder)]
    if not scan.is_file():
        return []
    try:
        with scan.open("rb") as file:
            is_dicom = has_dicom_prefix(file.read(132))
        if is_dicom:
            return [scan, *_named_files(scan)]
        if detect_format(scan) == "itk":
            return list(dict.fromkeys((scan, read_header(scan).data_file[0])))
    except RmaMambaError:  # its reader reports it
        return [scan]
    return list(header_and_image(scan) or (scan,))


def _named_files(scan: Path) -> list[Path]:
    """The files that a DICOMDIR names; none if the DICOM file is an image."""
    from rma_mamba.scans.dicomdir import is_dicomdir, referenced_files  # imports pydicom

    if not is_dicomdir(scan):
        return []
    named = (file.path for file in referenced_files(scan) if not file.is_missing)
    return [path for path in named if path is not None]
