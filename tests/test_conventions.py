from __future__ import annotations

import re
from pathlib import Path

import pytest

import rma_mamba
from rma_mamba.conventions import (
    LIVER_RGB,
    NIFTI_SUFFIXES,
    SCAN_SUFFIXES,
    software,
    software_version,
    strip_suffix,
)

SOURCE = Path(rma_mamba.__file__).parent


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan.nii.gz", "scan"),
        ("SCAN.NII.GZ", "SCAN"),
        ("scan.v1.nii", "scan.v1"),
        ("scan.gz", "scan.gz"),
        ("nii", "nii"),
        ("pair.img.gz", "pair"),
    ],
)
def test_a_suffix_is_stripped_whole_or_not_at_all(name: str, stem: str) -> None:
    assert strip_suffix(name, SCAN_SUFFIXES) == stem


def test_the_longest_suffix_is_stripped_whatever_their_order() -> None:
    assert strip_suffix("a.nii.gz", (".gz", ".nii.gz")) == "a"
    assert strip_suffix("a.nii.gz", NIFTI_SUFFIXES[::-1]) == "a"


def test_every_suffix_is_lower_case_and_listed_once() -> None:
    assert len(set(SCAN_SUFFIXES)) == len(SCAN_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SCAN_SUFFIXES)


def test_name_and_version_are_those_of_the_package() -> None:
    assert software() == f"rma-mamba {rma_mamba.__version__}"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", software_version())


def test_the_colour_and_the_window_are_written_in_one_file_only() -> None:
    """A copy of a convention elsewhere would stay behind when the convention changes."""
    copies = re.compile(
        rf"{LIVER_RGB[0]}, {LIVER_RGB[1]}, {LIVER_RGB[2]}|= \(-160\.0|metadata\.version\(\"rma-mamba\"\)"
    )
    files = [file for file in SOURCE.rglob("*.py") if copies.search(file.read_text())]
    assert [file.name for file in files] == ["conventions.py"]
