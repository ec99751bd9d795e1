import json
import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import pydicom
import pytest

from clinical_series import PATIENT, enhanced_mask, series_mask
from rma_mamba.errors import ConfigError
from rma_mamba.scans import write_mask, write_structured_report
from rma_mamba.volume import Mask

VALUES = {
    "volume_ml": 1234.5678,
    "surface_area_mm2": 80000.0,
    "intensity_mean_hu": 61.25,
    "intensity_sd_hu": None,
    "nodularity_ratio": 0.1,
}


@pytest.mark.parametrize("make", [series_mask, enhanced_mask])
@pytest.mark.parametrize("with_segment", [True, False])
def test_highdicom_reads_the_measurements_back(tmp_path: Path, make, with_segment: bool) -> None:
    mask = make(tmp_path / "in")
    segment = tmp_path / "seg.dcm" if with_segment else None
    if segment:
        write_mask(mask, segment)
    write_structured_report(
        mask, VALUES, tmp_path / "sr.dcm", comments=["Cut off."], segmentation=segment
    )
    content = hd.sr.srread(tmp_path / "sr.dcm").content
    volumetric = content.get_volumetric_roi_measurement_groups()
    (group,) = volumetric if segment else content.get_image_measurement_groups()
    assert group.finding_type.value == "10200004"
    (site,) = group.finding_sites
    assert (site.value.value, site.value.scheme_designator) == ("10200004", "SCT")
    found = {each.name.value: (each.value, each.unit.value) for each in group.get_measurements()}
    assert found["118565006"] == (1234.568, "mL")
    assert found["C0JK"] == (80000, "mm2")
    assert found["112031"] == (61.25, "[hnsf'U]")
    assert len(group.get_measurements()) == 3
    if segment:
        data = pydicom.dcmread(segment)
        assert group.referenced_segment.referenced_sop_instance_uid == data.SOPInstanceUID
        assert group.tracking_uid == data.SegmentSequence[0].TrackingUID


def test_a_structured_report_has_the_patient_study_and_comments(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    write_structured_report(mask, VALUES, tmp_path / "sr.dcm", comments=["The liver is cut off."])
    data = pydicom.dcmread(tmp_path / "sr.dcm")
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID"):
        assert str(data.get(keyword)) == PATIENT[keyword]
    assert data.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    texts = [each.value for each in data.iterall() if each.keyword == "TextValue"]
    assert "The liver is cut off." in texts


def test_dcmqi_reads_the_measurements_back(tmp_path: Path) -> None:
    if shutil.which("tid1500reader") is None:
        pytest.skip("dcmqi is not installed (pip install dcmqi)")
    mask = series_mask(tmp_path / "in")
    write_mask(mask, tmp_path / "seg.dcm")
    write_structured_report(mask, VALUES, tmp_path / "sr.dcm", segmentation=tmp_path / "seg.dcm")
    arguments = ["--inputDICOM", tmp_path / "sr.dcm", "--outputMetadata", tmp_path / "sr.json"]
    subprocess.run(["tid1500reader", *arguments], check=True, capture_output=True)
    (group,) = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    first = group["measurementItems"][0]
    assert (first["quantity"]["CodeValue"], first["value"]) == ("118565006", "1234.568")


def test_a_scan_that_is_not_dicom_is_an_error(tmp_path: Path) -> None:
    mask = series_mask(tmp_path / "in")
    with pytest.raises(ConfigError, match="is not DICOM"):
        write_structured_report(Mask(mask.labels, mask.geometry), VALUES, tmp_path / "sr.dcm")
