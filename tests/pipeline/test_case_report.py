"""`--identify` prints the patient on the report and nowhere else; without it, only DICOM objects name the patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.errors import ConfigError
from rma_mamba.pipeline import SegmentRequest
from rma_mamba.pipeline.case_report import read_identity
from rma_mamba.scans import read_scan

SHOWN = (("Patient", "Doe, John"), ("Patient ID", "4711"), ("Accession number", "A1"))


@pytest.mark.parametrize("identify", [False, True])
def test_only_the_report_names_the_patient_and_only_on_request(
    command: Any, segmenter: Any, tmp_path: Path, identify: bool
) -> None:
    scan = save(tmp_path / "in", clinical_series())
    options = ("--identify",) if identify else ()
    arguments = ("-i", scan, "-o", tmp_path / "out", "-ot", "nifti,json,csv", "-s", "--report")
    done = command("segment", *arguments, *options)
    assert done.code == 0
    page = (tmp_path / "out" / "in" / "report.html").read_text()
    for name, value in SHOWN:
        assert (f"{name}: <b>{value}</b>" in page) == identify
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file() and not path.name.startswith("report"):
            assert b"Doe" not in path.read_bytes()
    assert "Doe" not in done.out + done.err


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Doe^John^Q^Dr", "Doe, John Q Dr"),
        ("Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", "Yamada, Tarou"),
        ("Doe", "Doe"),
        ("", "not stated"),
        ("^^^^", "not stated"),
    ],
)
def test_names_are_written_on_one_line(tmp_path: Path, name: str, shown: str) -> None:
    slices = clinical_series(PatientName=name, SpecificCharacterSet="ISO_IR 192")
    for data in slices:
        del data.AccessionNumber
    found = dict(read_identity(read_scan(save(tmp_path / "in", slices))))
    assert found == {"Patient": shown, "Patient ID": "4711", "Accession number": "not stated"}


def test_other_scans_and_runs_without_a_report_cannot_identify(
    command: Any, segmenter: Any, scan: Path, tmp_path: Path
) -> None:
    done = command("segment", "-i", scan, "-o", tmp_path / "out", "--report", "--identify")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the scan is not DICOM" in done.err
    assert segmenter.loaded is None
    done = command("segment", "-i", scan, "-o", tmp_path / "out", "--identify")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "Add --report" in done.err
    with pytest.raises(ConfigError, match="no report is written"):
        SegmentRequest(identify=True)
    assert not (tmp_path / "out").exists()
