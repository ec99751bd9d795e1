"""The suffix of the output path selects the format; a wrong one is refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.scans import write_mask, write_structured_report
from rma_mamba.scans.writers import MASK_FORMATS, MASK_SUFFIXES, check_suffix, mask_format
from rma_mamba.volume import Geometry, Mask

MASK = Mask(np.ones((4, 4, 4), np.uint8), Geometry((4, 4, 4), np.eye(4)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("a.nii", "nifti"), ("a.NII.GZ", "nifti"), ("a.dcm", "dicom_seg")),
        *(("a.stl", "stl"), ("a.b.obj", "obj")),
    ],
)
def test_a_suffix_selects_a_format(name: str, expected: str) -> None:
    assert mask_format(Path(name)) == expected
    check_suffix(Path(name), expected, "mask")


def test_each_mask_suffix_has_a_format_and_each_format_a_suffix() -> None:
    formats = {mask_format(Path(f"a{suffix}")) for suffix in MASK_SUFFIXES}
    assert formats | {"dicom_rtstruct"} == set(MASK_FORMATS)  # .dcm is a DICOM SEG by default


@pytest.mark.parametrize("name", ["a.mha", "a", "nii", "a.nii.bak", ".gz"])
def test_other_suffixes_are_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected \.nii\.gz, \.nii, \.dcm, \.stl or \.obj"):
        write_mask(MASK, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("file_format", "name"), [("stl", "a.obj"), ("nifti", "a.dcm")])
def test_the_suffix_of_another_format_is_rejected(
    tmp_path: Path, file_format: Any, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"for the format {file_format}"):
        write_mask(MASK, tmp_path / name, file_format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", ["dicom_seg", "dicom_rtstruct"])
def test_dicom_objects_of_a_scan_that_is_not_dicom_are_rejected(
    tmp_path: Path, file_format: Any
) -> None:
    with pytest.raises(ConfigError, match="the scan is not DICOM"):
        write_mask(MASK, tmp_path / "a.dcm", file_format)
    with pytest.raises(ConfigError, match="the scan is not DICOM"):
        write_structured_report(MASK, {}, tmp_path / "a.dcm")
    assert list(tmp_path.iterdir()) == []


def test_kind_is_the_deprecated_name_of_file_format(tmp_path: Path) -> None:
    with pytest.deprecated_call(match="use file_format"):
        write_mask(MASK, tmp_path / "a.stl", kind="stl")
    assert (tmp_path / "a.stl").stat().st_size > 84
