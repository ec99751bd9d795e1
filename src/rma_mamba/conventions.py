"""Conventions shared by the whole package: file suffixes, colour, display window, tolerances, software name.

Each of these values is defined here only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

SOFTWARE_NAME = "rma-mamba"

# Terminology of DICOM PS3.16 and 3D Slicer: recommended display colour of SCT 10200004 "Liver".
LIVER_RGB = (221, 130, 101)

# Soft-tissue window of the abdomen: black to white in previews, 0 to 1 in the network input.
ABDOMEN_WINDOW_HU = (-160.0, 240.0)

# What is removed from a mask: small or distant components and implausible intensities ("standard"), or nothing.
Postprocessing = Literal["standard", "none"]

# Two grids match if no corner voxel is further apart than this: other tools round affines to float32 or coarser.
GRID_TOLERANCE_MM = 0.1

NIFTI_SUFFIXES = (".nii.gz", ".nii")
ANALYZE_SUFFIXES = (".hdr.gz", ".hdr", ".img.gz", ".img")  # NIfTI in two files
ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
ARCHIVE_SUFFIXES = (".zip",)

# Suffixes of scan files; the longest suffix of each format first.
SCAN_SUFFIXES = (
    *(*NIFTI_SUFFIXES, *ANALYZE_SUFFIXES, *ITK_SUFFIXES),
    *(*IMAGE_SUFFIXES, *DICOM_SUFFIXES, *ARCHIVE_SUFFIXES),
)

# Files that may lie beside scans and contain none: notes, tables, and other results of this program.
ACCOMPANYING_SUFFIXES = (
    *(".txt", ".md", ".rtf", ".log", ".ini", ".inf", ".json", ".jsonl", ".csv", ".tsv", ".xml"),
    *(".yaml", ".yml", ".toml", ".html", ".htm", ".css", ".js", ".pdf", ".doc", ".docx", ".xls"),
    *(".xlsx", ".ppt", ".pptx", ".db", ".lnk", ".url", ".exe", ".bat", ".sh", ".py", ".gif"),
    *(".svg", ".bval", ".bvec", ".md5", ".sha256", ".stl", ".obj", ".pickle", ".npy", ".npz"),
)


def strip_suffix(name: str, suffixes: Sequence[str]) -> str:
    """A file name without the longest of the suffixes that it ends in, in upper or lower case."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


@cache
def software_version() -> str:
    """The installed version, such as "0.2.0"."""
    from importlib.metadata import version

    return version(SOFTWARE_NAME)


def software() -> str:
    """Name and version as written to every output file, such as "rma-mamba 0.2.0"."""
    return f"{SOFTWARE_NAME} {software_version()}"


LIVER = "liver"  # the name of the class and of the region of interest
