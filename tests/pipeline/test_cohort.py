"""A folder of scans: a case that fails does not stop the others, and complete cases are skipped on request."""

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.errors import ScanError
from rma_mamba.pipeline import output_types


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def cohort(scan: Path, tmp_path: Path) -> Path:
    """Three scans and a corrupt one."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    for number, name in enumerate(("a.nii.gz", "b.nii", "deep/c.nii.gz")):
        image = nib.load(scan)
        values = np.asarray(image.dataobj).copy()
        values[0, 0, 0] += number
        (folder / name).parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(values, image.affine), folder / name)
    (folder / "Doe.nii.gz").write_bytes(scan.read_bytes()[:-40])
    return folder


def test_one_bad_scan_does_not_stop_the_rest(command, segmenter, cohort, tmp_path) -> None:
    out = tmp_path / "dir_v1.2"
    done = command("segment", "-i", cohort, "-o", f"{out}/", "-s")
    assert done.code == 3
    files = ("liver.nii.gz", "run.json", "statistics.json")
    found = [f"{case}/{name}" for case in ("a", "b", "deep/c") for name in files]
    assert names(out) == sorted(["errors.jsonl", *found])
    (line,) = (out / "errors.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert (failure["case"], failure["error"]) == ("Doe", "ScanError")
    assert "truncated or corrupt" in failure["message"]
    assert "\n" not in failure["message"]
    assert segmenter.loads == 1
    assert "Doe" not in done.err
    assert "3 of 4 cases completed" in done.err


def test_a_cohort_without_failures_leaves_no_list_of_errors(command, segmenter, cohort, tmp_path):
    out = tmp_path / "out"
    assert command("segment", "-i", cohort, "-o", out).code == 3
    (cohort / "Doe.nii.gz").unlink()
    assert command("segment", "-i", cohort, "-o", out).code == 0
    assert not (out / "errors.jsonl").exists()


def test_resume_segments_only_unfinished_cases(command, segmenter, cohort, tmp_path, monkeypatch):
    out, done = tmp_path / "out", []
    original = segmenter.__call__

    def counted(self, scan, **options):
        done.append(1)
        return original(self, scan, **options)

    monkeypatch.setattr(segmenter, "__call__", counted)

    def again(*options: str) -> int:
        done.clear()
        command("segment", "-i", cohort, "-o", out, *options)
        return len(done)

    assert again() == 3
    assert again("--resume") == 0
    assert again() == 3  # without it, every case is segmented again
    assert again("--resume", "-p") == 3  # a file that is requested now is missing
    assert again("--resume", "--fast") == 3  # other settings
    assert again("--resume", "--fast") == 0
    (out / "a" / "liver.nii.gz").write_bytes(b"changed")
    assert again("--resume", "--fast") == 1
    shutil.copy(cohort / "a.nii.gz", cohort / "deep" / "c.nii.gz")  # another input
    assert again("--resume", "--fast") == 1
    segmenter.weights_sha256 = "1" * 64
    assert again("--resume", "--fast") == 3
    (out / "b" / "run.json").write_text("[1]")
    assert again("--resume", "--fast") == 1


def test_parts_divide_all_cases_and_each_has_its_own_list_of_errors(
    command, segmenter, cohort, tmp_path
):
    out = tmp_path / "out"
    codes = [
        command("segment", "-i", cohort, "-o", out, "--num-parts", 3, "--part_id", part).code
        for part in range(3)
    ]
    assert sorted(codes) == [0, 0, 3]
    assert {"a/liver.nii.gz", "b/liver.nii.gz", "deep/c/liver.nii.gz"} < set(names(out))
    assert [name for name in names(out) if name.startswith("errors")] == ["errors_0_of_3.jsonl"]
    wrong = command("segment", "-i", cohort, "-o", out, "--num-parts", 3, "--part-id", 3)
    assert (wrong.code, "expected 0 to 2" in wrong.err) == (2, True)


def test_run_json_records_the_run_and_contains_no_names(
    command, segmenter, cohort, tmp_path
) -> None:
    command("segment", "-i", cohort, "-o", tmp_path / "out", "-p", "--modality", "CT")
    text = (tmp_path / "out" / "b" / "run.json").read_text()
    run = json.loads(text)
    assert run["modality"] == run["settings"]["modality"] == "CT"
    assert len(run["input_sha256"]) == 64
    assert run["weights_sha256"] == segmenter.weights_sha256
    assert set(run["files"]) == {"liver.nii.gz", "preview.png"}
    assert {"torch", "python", "rma-mamba"} <= set(run["versions"])
    assert str(tmp_path) not in text


def test_an_interrupt_prints_one_line_and_leaves_no_file(
    command, segmenter, cohort, tmp_path
) -> None:
    segmenter.failure = KeyboardInterrupt()
    (cohort / "Doe.nii.gz").unlink()
    done = command("segment", "-i", cohort, "-o", tmp_path / "out")
    assert done.code == 130
    assert done.err == "rma-mamba: interrupted; no partially written file was left behind.\n"
    assert not (tmp_path / "out").exists() or names(tmp_path / "out") == []


def test_a_failed_rerun_leaves_all_files_as_they_were(
    command, segmenter, scan, tmp_path, monkeypatch
) -> None:
    out = tmp_path / "out"
    assert command("segment", "-i", scan, "-o", out, "-p", "-s").code == 0
    before = {name: (out / name).read_bytes() for name in names(out)}

    def fail(*_: object) -> None:
        raise ScanError("the disk is full; expected space. Free some.")

    segmenter.warnings = ("Another result.",)
    monkeypatch.setattr(output_types, "write_mask", fail)
    assert command("segment", "-i", scan, "-o", out, "-p", "-s", "--save-uncertainty").code == 4
    assert {name: (out / name).read_bytes() for name in names(out)} == before


def test_leftovers_of_a_killed_run_are_removed_by_the_next(
    command, segmenter, scan, tmp_path
) -> None:
    left = tmp_path / "out" / "case_7" / ".rma-mamba-0123.tmp"
    left.mkdir(parents=True)
    (left / "liver.nii.gz").write_bytes(b"half")
    os.utime(left, (0, 0))
    assert command("segment", "-i", scan, "-o", tmp_path / "out").code == 0
    assert names(tmp_path / "out") == ["case_7/liver.nii.gz", "case_7/run.json"]


def test_report_and_uncertainty_are_written_on_request(command, segmenter, scan, tmp_path) -> None:
    out = tmp_path / "out"
    assert command("segment", "-i", scan, "-o", out, "--report", "--save_uncertainty").code == 0
    files = ("liver.nii.gz", "report.html", "report.pdf", "run.json", "uncertainty.nii.gz")
    assert names(out) == [f"case_7/{name}" for name in files]
    page = (out / "case_7" / "report.html").read_text()
    assert "case_7" not in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize("out", ["dir_v1.2/", "new/"])
def test_an_output_that_ends_in_a_slash_is_a_folder(
    command, segmenter, scan, tmp_path, out
) -> None:
    assert command("segment", "-i", scan, "-o", f"{tmp_path}/{out}").code == 0
    assert names(tmp_path / out) == ["case_7/liver.nii.gz", "case_7/run.json"]


def test_several_scans_cannot_be_written_to_one_file(command, segmenter, cohort, tmp_path) -> None:
    done = command("segment", "-i", cohort, "-o", tmp_path / "out.nii.gz")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the input is 4 scans" in done.err
    assert segmenter.loaded is None


def test_parts_of_one_scan_are_refused(command, segmenter, scan, tmp_path) -> None:
    done = command("segment", "-i", scan, "-o", tmp_path / "out", "--num-parts", 2)
    assert (done.code, "the input is one scan" in done.err) == (2, True)


def test_results_inside_the_input_folder_are_not_scans(command, segmenter, cohort) -> None:
    (cohort / "Doe.nii.gz").unlink()
    out = cohort / "results"
    assert command("segment", "-i", cohort, "-o", out).code == 0
    assert command("segment", "-i", cohort, "-o", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "deep"]


@pytest.fixture
def four_d(tmp_path: Path) -> Path:
    """Three volumes: the bright box is wider from one to the next."""
    values = np.full((24, 20, 8, 3), 100, dtype=np.int16)
    for number in range(3):
        values[8 : 12 + number, 6:11, 2:6, number] = 1000
    path = tmp_path / "dynamic" / "dynamic.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 5.0, 1.0])), path)
    return path


def test_all_volumes_of_a_4d_scan_are_cases(command, segmenter, four_d, tmp_path) -> None:
    out = tmp_path / "out"
    done = command("segment", "-i", four_d, "-o", out, "--volume", "all", "-s")
    assert done.code == 0
    volumes = [
        json.loads((out / "dynamic" / f"volume_{number:02}" / "statistics.json").read_text())[
            "volume_ml"
        ]
        for number in (1, 2, 3)
    ]
    assert volumes == pytest.approx([1.6, 2.0, 2.4])
    run = json.loads((out / "dynamic" / "volume_02" / "run.json").read_text())
    assert run["settings"]["volume"] == run["settings"]["frame"] == 2
    (out / "dynamic" / "volume_03" / "liver.nii.gz").unlink()
    again = command("segment", "-i", four_d, "-o", out, "--volume", "all", "-s", "--resume")
    assert again.err.count("skipped: already complete") == 2
    assert (out / "dynamic" / "volume_03" / "liver.nii.gz").exists()


def test_all_volumes_of_all_scans_in_a_folder_are_cases(
    command, segmenter, four_d, cohort, tmp_path
) -> None:
    shutil.copy(four_d, cohort / "b.nii.gz")
    (cohort / "b.nii").unlink()
    out = tmp_path / "out"
    assert command("segment", "-i", cohort, "-o", out, "--volume", "all").code == 3
    found = [path.parent for path in out.rglob("liver.nii.gz")]
    cases = ("a", "b/volume_01", "b/volume_02", "b/volume_03", "deep/c")
    assert sorted(str(folder.relative_to(out)) for folder in found) == list(cases)
    (line,) = (out / "errors.jsonl").read_text().splitlines()
    assert json.loads(line)["case"] == "Doe"


def test_all_volumes_of_a_3d_scan_are_the_scan_itself(command, segmenter, scan, tmp_path) -> None:
    assert command("segment", "-i", scan, "-o", tmp_path / "m.nii.gz", "--volume", "ALL").code == 0
    assert (tmp_path / "m.nii.gz").exists()


def test_volumes_of_a_4d_scan_cannot_be_written_to_one_file(command, segmenter, four_d, tmp_path):
    done = command("segment", "-i", four_d, "-o", tmp_path / "m.nii.gz", "--volume", "all")
    assert (done.code, "the input is 3 scans" in done.err) == (2, True)
    wrong = command("segment", "-i", four_d, "-o", tmp_path / "m.nii.gz", "--volume", "first")
    assert (wrong.code, "the volume is not a number" in wrong.err) == (2, True)


def test_a_patient_size_is_refused_for_a_cohort(command, cohort, tmp_path) -> None:
    size = ("--height-cm", "175", "--weight-kg", "80")
    done = command("segment", "-i", cohort, "-o", tmp_path / "out", *size)
    assert (done.code, "expected one patient's scan" in done.err) == (2, True)


def test_a_cohort_gets_every_output_type_that_a_scan_gets(
    command, segmenter, cohort, tmp_path
) -> None:
    out = tmp_path / "out"
    assert command("segment", "-i", cohort, "-o", out, "-ot", "nifti,stl,csv").code == 3
    assert {"a/liver.nii.gz", "a/liver.stl", "a/measurements.csv", "a/run.json"} <= set(names(out))
    run = json.loads((out / "a" / "run.json").read_text())
    assert set(run["files"]) == {"liver.nii.gz", "liver.stl", "measurements.csv"}
    nobody = command("segment", "-i", cohort, "-o", tmp_path / "no", "-ot", "dicom_seg")
    assert nobody.code == 3
    assert names(tmp_path / "no") == ["errors.jsonl"]
