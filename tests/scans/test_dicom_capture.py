"""A secondary capture and an encapsulated PDF, for viewers that show nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from clinical_series import PATIENT, enhanced_mask, series_mask
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import write_encapsulated_pdf, write_secondary_capture
from rma_mamba.volume import Geometry, Mask
from seg_readers import assert_valid, needs_validator

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
PDF = b"%PDF-1.4 odd number of bytes."


@pytest.fixture(params=["single frames", "one multi-frame object"])
def mask(request, tmp_path: Path) -> Mask:
    make = series_mask if request.param == "single frames" else enhanced_mask
    return make(tmp_path / "in")


def written(mask: Mask, folder: Path) -> tuple[Path, Path]:
    write_secondary_capture(mask, PIXELS, folder / "sc.dcm")
    write_encapsulated_pdf(mask, PDF, folder / "pdf.dcm")
    return folder / "sc.dcm", folder / "pdf.dcm"


def test_both_belong_to_the_study_and_hold_what_was_given(mask: Mask, tmp_path: Path) -> None:
    capture, document = map(pydicom.dcmread, written(mask, tmp_path))
    np.testing.assert_array_equal(capture.pixel_array, PIXELS)
    length = document.EncapsulatedDocumentLength
    assert document.EncapsulatedDocument[:length] == PDF
    for each in (capture, document):
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
            assert str(each[keyword].value) == PATIENT[keyword]
        assert each.BurnedInAnnotation == "NO"
    assert capture.SeriesInstanceUID != document.SeriesInstanceUID


def test_a_second_run_gives_the_same_uids(mask: Mask, tmp_path: Path) -> None:
    first = [pydicom.dcmread(path).SOPInstanceUID for path in written(mask, tmp_path)]
    again = [pydicom.dcmread(path).SOPInstanceUID for path in written(mask, tmp_path)]
    assert first == again
    assert len({*first}) == 2


def test_a_report_that_names_the_patient_is_marked(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    write_encapsulated_pdf(mask, PDF, tmp_path / "pdf.dcm", names_patient=True)
    assert pydicom.dcmread(tmp_path / "pdf.dcm").BurnedInAnnotation == "YES"


@needs_validator
def test_dciodvfy_finds_no_error(mask: Mask, tmp_path: Path) -> None:
    for path in written(mask, tmp_path):
        assert_valid(path)
        data = pydicom.dcmread(path)
        del data.ConversionType
        data.save_as(path)
        with pytest.raises(AssertionError):
            assert_valid(path)


def test_other_scans_and_suffixes_are_errors(tmp_path: Path) -> None:
    plain = Mask(np.zeros((2, 2, 2), np.uint8), Geometry((2, 2, 2), np.eye(4)))
    with pytest.raises(ConfigError, match="secondary capture"):
        write_secondary_capture(plain, PIXELS, tmp_path / "sc.dcm")
    with pytest.raises(ConfigError, match="suffix"):
        write_encapsulated_pdf(plain, PDF, tmp_path / "report.pdf")
    mask = series_mask(tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(ScanError, match="cannot be opened again"):
        write_encapsulated_pdf(mask, PDF, tmp_path / "pdf.dcm")
