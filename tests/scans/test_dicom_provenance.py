"""New DICOM objects repeat the patient and study of their scan, without the remarks, and say when they were made."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR

from clinical_series import blob, clinical_series
from dicom_series import save
from rma_mamba.conventions import SOFTWARE_NAME, software_version
from rma_mamba.scans import read_scan, write_mask, write_structured_report
from rma_mamba.scans.dicom_provenance import WITHHELD
from rma_mamba.volume import Mask
from seg_readers import assert_valid, needs_validator

SECRET = "SECRET"
REPEATED = {
    "EthnicGroup": "GROUP",
    "PatientBirthTime": "101010",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientSize": "1.8",
    "PatientWeight": "80",
    "SmokingStatus": "YES",
    "ClinicalTrialSponsorName": "SPONSOR",
    "ClinicalTrialProtocolID": "P1",
    "ClinicalTrialProtocolName": "PROTOCOL",
    "ClinicalTrialSiteID": "7",
    "ClinicalTrialSiteName": "SITE",
    "ClinicalTrialSubjectID": "12",
    "ClinicalTrialTimePointID": "T1",
    "ClinicalTrialTimePointDescription": "AFTER",
    "RequestingService": "SURGERY",
}
OBJECTS = ("seg", "rt", "sr")


def secret_code() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", SECRET
    return code


def private(data: Dataset) -> None:
    data.private_block(0x0011, "ACME", create=True).add_new(1, "LT", SECRET)


def talkative() -> list[Dataset]:
    """A series with remarks about the patient in all the places where they can stand."""
    slices = clinical_series(**REPEATED, TimezoneOffsetFromUTC="+0900", InstitutionName="HOSPITAL")
    for data in slices:
        for keyword in WITHHELD:
            value: Any = [secret_code()] if dictionary_VR(keyword) == "SQ" else SECRET
            setattr(data, keyword, value)
        other = Dataset()
        other.PatientID, other.TypeOfPatientID, other.PatientComments = "7", "TEXT", SECRET
        private(other)
        private(data)
        data.OtherPatientIDsSequence = [other]
        data.ContentDate = data.SeriesDate = "20200101"
        data.SoftwareVersions, data.DeviceSerialNumber = "scanner 1", "123"
    return slices


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The series in the folder `in`, and its objects next to it."""
    made: Path = tmp_path_factory.mktemp("objects")
    volume = read_scan(save(made / "in", talkative()))
    mask = Mask(blob(volume.geometry.shape), volume.geometry, None, volume.source_images)
    write_mask(mask, made / "seg.dcm")
    write_mask(mask, made / "rt.dcm", "dicom_rtstruct")
    write_structured_report(
        mask, {"volume_ml": 1.0}, made / "sr.dcm", segmentation=made / "seg.dcm"
    )
    return made


@pytest.mark.parametrize("name", OBJECTS)
def test_no_remark_and_no_private_element_is_copied(folder: Path, name: str) -> None:
    data = pydicom.dcmread(folder / f"{name}.dcm")
    assert SECRET not in str(data)
    assert not [each for each in data.iterall() if each.tag.is_private]
    assert SECRET in str(pydicom.dcmread(folder / "in" / "IM0000"))  # the search can find it


@pytest.mark.parametrize("name", OBJECTS)
def test_patient_and_study_are_otherwise_those_of_the_scan(folder: Path, name: str) -> None:
    data = pydicom.dcmread(folder / f"{name}.dcm")
    for keyword, value in REPEATED.items():
        assert str(data.get(keyword)) == value, keyword
    assert data.OtherPatientIDsSequence[0].PatientID == "7"


@pytest.mark.parametrize("name", OBJECTS)
def test_dates_and_equipment_are_those_of_the_object(folder: Path, name: str) -> None:
    data = pydicom.dcmread(folder / f"{name}.dcm")
    now = datetime.now(timezone(timedelta(hours=9)))
    assert data.TimezoneOffsetFromUTC == "+0900"  # also that of StudyTime
    for part in ("Series", "InstanceCreation", "StructureSet" if name == "rt" else "Content"):
        stated = data.get(f"{part}Date") + data.get(f"{part}Time")
        found = datetime.strptime(f"{stated}+0900", "%Y%m%d%H%M%S.%f%z")
        assert timedelta(0) <= now - found < timedelta(minutes=10), part
        assert stated == data.InstanceCreationDate + data.InstanceCreationTime
    assert (data.Manufacturer, data.ManufacturerModelName) == (SOFTWARE_NAME, SOFTWARE_NAME)
    assert (data.SoftwareVersions, data.DeviceSerialNumber) == (software_version(),) * 2
    assert "InstitutionName" not in data


@pytest.mark.parametrize("offset", ["", "0900", "+9900", "JST", None])
def test_without_a_valid_time_zone_times_are_local(tmp_path: Path, offset: str | None) -> None:
    zone = {} if offset is None else {"TimezoneOffsetFromUTC": offset}
    volume = read_scan(save(tmp_path / "in", clinical_series(**zone)))
    mask = Mask(blob(volume.geometry.shape), volume.geometry, None, volume.source_images)
    write_mask(mask, tmp_path / "seg.dcm")
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    found = datetime.strptime(data.ContentDate + data.ContentTime, "%Y%m%d%H%M%S.%f")
    assert timedelta(0) <= datetime.now() - found < timedelta(minutes=10)
    assert "TimezoneOffsetFromUTC" not in data


@needs_validator
@pytest.mark.parametrize("name", OBJECTS)
def test_objects_of_a_talkative_scan_are_valid(folder: Path, name: str) -> None:
    assert_valid(folder / f"{name}.dcm")


@pytest.mark.skipif(
    shutil.which("dcentvfy") is None, reason="dcentvfy is not installed (Debian's dicom3tools)"
)
@pytest.mark.parametrize("name", OBJECTS)
def test_dcentvfy_finds_only_the_remarks_to_differ(folder: Path, name: str) -> None:
    files = [*sorted((folder / "in").iterdir()), folder / f"{name}.dcm"]
    said = subprocess.run(["dcentvfy", *files], capture_output=True, text=True)
    lines = [line for line in (said.stdout + said.stderr).splitlines() if line.strip()]
    # of an SR, dcentvfy takes the accession number for an attribute of the series
    lines = [line for line in lines if "Different information entities" not in line]
    unexpected = [line for line in lines if not any(f"<{each}>" in line for each in WITHHELD)]
    assert not unexpected
    assert any("PatientComments" in line for line in lines)
