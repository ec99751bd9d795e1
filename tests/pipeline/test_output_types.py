import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.pipeline import case_result, output_types
from rma_mamba.pipeline.case import segment_case
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.output_types import OutputType, parse_output_types
from rma_mamba.pipeline.request import SegmentRequest

EVERY = "nifti,dicom_seg,dicom_rtstruct,stl,obj,dicom_sr,dicom_sc,dicom_pdf,json,csv"


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def dicom(tmp_path: Path) -> Path:
    """A CT series with a bright box for the segmenter to find."""
    slices = clinical_series()
    for data in slices[3:8]:
        pixels = np.frombuffer(data.PixelData, "<u2").reshape(data.Rows, data.Columns).copy()
        pixels[8:20, 6:16] = 2000
        pixels[0, 0] = 0
        data.PixelData = pixels.tobytes()
    return save(tmp_path / "case 3", slices)


@pytest.mark.parametrize("option", ["--output-type", "--output_type"])
def test_the_option_has_a_long_name_in_two_spellings(
    command, segmenter, dicom, tmp_path, option: str
) -> None:
    assert command("segment", "-i", dicom, "-o", tmp_path / "out", option, "json").code == 0
    assert names(tmp_path / "out" / "case 3") == ["measurements.json", "run.json"]


def test_a_folder_gets_every_output_type_under_its_own_name(
    command, segmenter, dicom, tmp_path
) -> None:
    done = command("segment", "-i", dicom, "-o", tmp_path / "out", "-ot", EVERY)
    assert (done.code, done.out) == (0, "")
    assert names(tmp_path / "out" / "case 3") == [
        "liver.nii.gz",
        "liver.obj",
        "liver.stl",
        "liver_pdf.dcm",
        "liver_rtstruct.dcm",
        "liver_sc.dcm",
        "liver_seg.dcm",
        "liver_sr.dcm",
        "measurements.csv",
        "measurements.json",
        "run.json",
    ]


def test_the_report_refers_to_the_segmentation_beside_it(
    command, segmenter, dicom, tmp_path
) -> None:
    out = tmp_path / "out"
    listed = "dicom_sr,dicom_seg,json"
    done = command("segment", "-i", dicom, "-o", out, "-ot", listed, "--modality", "CT")
    assert done.code == 0
    seg, report = (pydicom.dcmread(out / "case 3" / f"liver_{kind}.dcm") for kind in ("seg", "sr"))
    uids = [each.value for each in report.iterall() if each.keyword == "ReferencedSOPInstanceUID"]
    assert seg.SOPInstanceUID in uids
    measured = json.loads((out / "case 3" / "measurements.json").read_text())
    values = [each.value for each in report.iterall() if each.keyword == "NumericValue"]
    assert float(values[0]) == pytest.approx(measured["volume_ml"], abs=1e-3)
    assert measured["intensity_mean_hu"] == pytest.approx(2000 - 1024)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.dcm", "SEG"), ("a.stl", "mesh"), ("a.obj", "mesh"), ("a.nii", "nifti")]
)
def test_the_suffix_of_the_output_selects_the_output_type(
    command, segmenter, dicom, tmp_path, name, kind
) -> None:
    out = tmp_path / "out" / name
    assert command("segment", "-i", dicom, "-o", out).code == 0
    assert names(out.parent) == [name]
    if kind == "SEG":
        assert pydicom.dcmread(out).Modality == "SEG"
    if kind == "nifti":
        assert nib.load(out).shape == (24, 30, 12)


def test_other_output_types_go_beside_the_file_that_was_named(
    command, segmenter, dicom, tmp_path
) -> None:
    out = tmp_path / "out" / "a.dcm"
    assert command("segment", "-i", dicom, "-o", out, "-ot", "dicom_rtstruct,stl,csv").code == 0
    assert names(out.parent) == ["a.dcm", "a.stl", "a_measurements.csv"]
    assert pydicom.dcmread(out).Modality == "RTSTRUCT"


def test_wrong_output_types_are_refused_before_any_work(
    command, segmenter, dicom, tmp_path
) -> None:
    for out, listed, said in (
        ("out", "nifti,dicom-seg", "unknown output type 'dicom-seg'"),
        (
            "a.stl",
            "nifti",
            "is not that of the output type nifti; expected .nii.gz or .nii. Choose",
        ),
        ("a.xyz", "", "the suffix of the output file is not that of a mask format"),
    ):
        extra = ("-ot", listed) if listed else ()
        done = command("segment", "-i", dicom, "-o", tmp_path / out, *extra)
        assert done.code == 2
        assert said in done.err
        assert done.err.count("\n") == 1
    assert segmenter.loaded is None


@pytest.mark.parametrize(
    "kind", ["dicom_seg", "dicom_rtstruct", "dicom_sr", "dicom_sc", "dicom_pdf"]
)
def test_dicom_outputs_of_other_scans_are_refused_before_the_network_is_loaded(
    command, segmenter, scan, tmp_path, kind: str
) -> None:
    done = command("segment", "-i", scan, "-o", tmp_path / "out", "-ot", f"nifti,{kind}")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the scan is not DICOM" in done.err
    assert segmenter.loaded is None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "writer", ["write_mask", "write_structured_report", "write_csv", "quantify"]
)
def test_if_one_writer_fails_nothing_is_written_and_existing_files_stay(
    command, segmenter, dicom, tmp_path, monkeypatch, writer: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ScanError("the disk is full; expected space. Free some.")

    old = tmp_path / "out" / "case 3" / "liver.nii.gz"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    home = case_result if writer == "quantify" else output_types
    monkeypatch.setattr(home, writer, fail)
    done = command("segment", "-i", dicom, "-o", tmp_path / "out", "-ot", EVERY, "-p", "-s")
    assert done.code == 4
    assert names(tmp_path / "out") == ["case 3/liver.nii.gz"]
    assert old.read_bytes() == b"old"


def test_statistics_contain_all_measurements(command, segmenter, dicom, tmp_path) -> None:
    command("segment", "-i", dicom, "-o", tmp_path / "a.nii.gz", "-s", "--modality", "CT")
    found = json.loads((tmp_path / "a_statistics.json").read_text())
    assert found["intensity_mean_hu"] == pytest.approx(2000 - 1024)
    assert {"volume_uncertainty_ml", "surface_area_mm2", "cut_inferior_mm2"} <= set(found)


def test_the_patients_size_gives_standard_volumes(command, segmenter, dicom, tmp_path) -> None:
    size = ("--height-cm", "175", "--weight-kg", "80")
    done = command(
        "segment", "-i", dicom, "-o", tmp_path / "a.nii.gz", "-s", "-ot", "nifti,csv", *size
    )
    assert done.code == 0
    assert "Standard liver volume: 1705 mL (Vauthey), 1384 mL (Urata)" in done.err
    assert "not reference limits" in done.err
    found = json.loads((tmp_path / "a_statistics.json").read_text())
    assert found["standard_volume_vauthey_ml"] == pytest.approx(1704.7, abs=0.1)
    assert found["volume_to_urata_ratio"] == pytest.approx(
        found["volume_ml"] / found["standard_volume_urata_ml"], abs=1e-4
    )
    assert any("not reference limits" in each for each in found["warnings"])
    assert "1704.6999" in (tmp_path / "a_measurements.csv").read_text()


@pytest.mark.parametrize(
    "size", [("--height-cm", "175"), ("--height-cm", "1.75", "--weight-kg", "8")]
)
def test_an_incomplete_or_impossible_patient_size_is_refused_before_any_work(
    command, segmenter, dicom, tmp_path, size
) -> None:
    done = command("segment", "-i", dicom, "-o", tmp_path / "out", *size)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert segmenter.loaded is None
    assert not (tmp_path / "out").exists()


def test_output_types_are_parsed_with_the_first_one_first() -> None:
    assert parse_output_types(None) == ()
    assert parse_output_types(" STL , nifti,stl") == ("stl", "nifti")
    with pytest.raises(ConfigError, match="expected nifti, dicom_seg"):
        parse_output_types("nii")


def test_a_new_output_type_needs_only_one_entry(segmenter, scan, tmp_path, monkeypatch) -> None:
    def write(result: CaseResult, path: Path) -> None:
        path.write_text(f"{result.quantities.volume_ml:.1f}")

    new = OutputType("volume_txt", "volume.txt", "_volume.txt", write)
    monkeypatch.setitem(output_types.OUTPUT_TYPES, new.name, new)
    request = SegmentRequest(outputs=("nifti", "volume_txt"))
    in_folder = segment_case(scan, tmp_path / "out", request)
    beside = segment_case(scan, tmp_path / "a.nii.gz", request)
    assert in_folder.files["volume_txt"] == tmp_path / "out" / "case_7" / "volume.txt"
    assert beside.files["volume_txt"] == tmp_path / "a_volume.txt"
    assert beside.files["volume_txt"].read_text() == f"{beside.volume_ml:.1f}"
    assert "volume.txt" in (tmp_path / "out" / "case_7" / "run.json").read_text()


def test_options_select_their_output_types() -> None:
    assert output_types.types_of_options({"--preview": True, "--report": False}) == ("preview",)
    assert output_types.types_of_options({"--report": True}) == ("report_html", "report_pdf")
