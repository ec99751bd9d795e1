"""Which scans are found in a path, and what they are called."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from dicom_series import save, series
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.pipeline.discovery import (
    Case,
    case_name,
    find_cases,
    search,
    select_part,
    split_volumes,
)
from rma_mamba.scans import read_scan


def touched(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("files", "cases"),
    [
        (["1.dcm", "2.dcm"], None),  # the slices of one series
        (["1.dcm", "below/2.dcm"], None),
        (["DICOMDIR", "a/1.dcm"], None),
        (["a.nii", ".hidden.nii"], ["a"]),
        (["a.hdr", "a.img", "b.img"], ["a", "b"]),
        (["a.nii", "series/1.dcm", "empty/.keep"], ["a", "series"]),
        (["p1/ct.nii.gz", "p2/ct.nii.gz", "p3/s/1.dcm"], ["p1/ct", "p2/ct", "p3"]),
        (["a.mha", "b.nrrd", "c.zip", "notes.txt"], ["a", "b", "c"]),
    ],
    ids=str,
)
def test_a_folder_is_a_cohort_or_a_single_scan_by_its_files(
    tmp_path: Path, files: list[str], cases: list[str] | None
) -> None:
    found = search(touched(tmp_path, *files), tmp_path / "out").cases
    assert (found and [case.name for case in found]) == cases


def test_two_cases_with_the_same_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="differ only in suffix or capitalisation"):
        search(touched(tmp_path, "a.nii", "A.nii.gz"), tmp_path / "out")


def test_the_series_of_a_study_are_one_scan_and_several_studies_are_cases(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    for name in ("one", "two"):
        save(tmp_path / "study" / name, series())
    assert search(tmp_path / "study", tmp_path / "out").cases is None
    other = series()
    for each in other:
        each.StudyInstanceUID = generate_uid()
    save(tmp_path / "study" / "three", other)
    found = search(tmp_path / "study", tmp_path / "out").cases
    assert found is not None
    assert [case.name for case in found] == ["one", "three", "two"]


def of_study(slices: list[Dataset], study: str, patient: str = "4711") -> list[Dataset]:
    number = generate_uid()
    for each in slices:
        each.StudyInstanceUID, each.PatientID = study, patient
        each.SeriesInstanceUID, each.SOPInstanceUID = number, generate_uid()
    return slices


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """DICOM folders of two patients."""
    (tmp_path / "cohort").mkdir()
    for name in ("p1", "p2"):
        save(tmp_path / "cohort" / name, of_study(series(), generate_uid(), name))
    return tmp_path / "cohort"


def nifti(path: Path, values: np.ndarray | None = None, intent: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(
        np.arange(60).reshape(5, 4, 3) if values is None else values, np.eye(4), dtype="int16"
    )
    image.header["intent_code"] = intent
    nib.save(image, path)
    return path


MASK = np.zeros((5, 4, 3), np.int16)
MASK[1:3] = 1


@pytest.mark.parametrize(
    "stray",
    ["README.txt", "Thumbs.db", "DICOMDIR", "._x", "p1/00_note.txt", "p1/0", "docs/x.pdf", "x.png"],
)
def test_a_stray_file_does_not_end_a_cohort(patients: Path, stray: str) -> None:
    touched(patients, stray)
    assert [case.name for case in find_cases(patients)] == ["p1", "p2"]


def test_a_few_slices_beside_the_folders_of_a_cohort_are_skipped_with_a_warning(
    patients: Path,
) -> None:
    (patients / "p1" / "IM0000").rename(patients / "IM0000")
    found = search(patients)
    assert [case.name for case in found.cases or ()] == ["p1", "p2"]
    assert found.warnings == (
        "1 folder contains one or two DICOM slices beside scans: they were skipped.",
    )


def test_a_second_study_in_folders_of_its_own_is_more_cases(patients: Path) -> None:
    (patients / "p1").rename(patients / "one")
    (patients / "p1").mkdir()
    (patients / "one").rename(patients / "p1" / "one")
    save(patients / "p1" / "two", of_study(series(), generate_uid(), "p1"))
    found = search(patients)
    assert [case.name for case in found.cases or ()] == ["p1/one", "p1/two", "p2"]
    assert found.warnings == (
        "1 folder contains scans of several studies: each folder in it is a case.",
    )


@pytest.mark.parametrize("suffix", [".img", ".dat", ".nii", ".hdr", ".nii.gz", ".zip", ".png"])
def test_dicom_slices_with_any_suffix_are_a_series(patients: Path, suffix: str) -> None:
    for path in [*patients.rglob("IM*")]:
        path.rename(path.with_name(path.name + suffix))
    assert [case.name for case in find_cases(patients)] == ["p1", "p2"]
    assert search(patients / "p1").cases is None


@pytest.mark.parametrize(
    ("values", "intent", "is_mask"),
    [
        (MASK, 0, True),
        (MASK * 255, 0, True),
        (MASK * 5, 1002, True),
        (MASK * 0, 1002, True),
        (MASK * 900 + 100, 0, False),
        (MASK * 0, 0, False),
        (MASK + 2 * np.eye(5, 4, dtype=np.int16)[:, :, None], 0, False),
        (np.arange(60).reshape(5, 4, 3), 1001, True),
    ],
)
def test_a_mask_beside_slices_is_skipped_and_a_scan_beside_slices_is_refused(
    tmp_path: Path, values: np.ndarray, intent: int, is_mask: bool
) -> None:
    folder = save(tmp_path / "series", series())
    nifti(folder / "liver.nii.gz", values, intent)
    if is_mask:
        found = search(folder)
        assert found.cases is None
        assert found.warnings == (
            "1 file is a mask or result of an earlier run and was skipped: liver.nii.gz.",
        )
        return
    with pytest.raises(
        ScanError, match="one series of DICOM slices and as a cohort of 1 scan file"
    ):
        search(folder)


def test_slices_and_scans_in_a_folder_of_a_cohort_are_cases_each(patients: Path) -> None:
    nifti(patients / "p1" / "ct.nii.gz")
    found = search(patients)
    assert [case.name for case in found.cases or ()] == ["p1", "p1/ct", "p2"]
    assert found.warnings == (
        "1 folder contains both DICOM slices and scan files: the slices are a case, and so is each file.",
    )


def test_a_cohort_of_scans_may_contain_a_slice(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii.gz")
    save(tmp_path, series(slices=1))
    found = search(tmp_path)
    assert [case.name for case in found.cases or ()] == ["a"]
    assert "one or two DICOM slices beside scans" in found.warnings[0]


@pytest.mark.parametrize(
    "names", [("a.hdr.gz", "a.img.gz"), ("a.hdr", "a.IMG"), ("A.HDR", "A.IMG")]
)
def test_a_pair_is_one_case(tmp_path: Path, names: tuple[str, str]) -> None:
    assert [case.name for case in find_cases(touched(tmp_path, *names))] == [names[0][0]]


def test_results_of_earlier_runs_are_no_cases_wherever_they_are(tmp_path: Path) -> None:
    nifti(tmp_path / "p1.nii.gz")
    for folder in ("p1", "results/p1", "results/deep/p2"):
        touched(tmp_path / folder, "liver.nii.gz", "liver_seg.dcm", "preview.png", "report.pdf")
        record = {
            "rma_mamba": "0.2.0",
            "files": {path.name: "" for path in (tmp_path / folder).iterdir()},
        }
        (tmp_path / folder / "run.json").write_text(json.dumps(record))
    found = search(tmp_path, tmp_path)
    assert [case.name for case in found.cases or ()] == ["p1"]
    (warning,) = found.warnings
    assert "9 files are masks or results" in warning
    assert "liver.nii.gz (3)" in warning
    with pytest.raises(ScanError, match="only masks and results of earlier runs"):
        search(tmp_path / "results")


def test_links_in_circles_add_no_cases(tmp_path: Path) -> None:
    nifti(tmp_path / "p1" / "ct.nii.gz")
    for name in ("a", "b", "p1/up"):
        (tmp_path / name).symlink_to(tmp_path)
    assert [case.name for case in find_cases(tmp_path)] == ["p1/ct"]


def test_links_that_lead_nowhere_are_cases_that_fail(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii.gz")
    (tmp_path / "p4").mkdir()
    for name in ("b.nii.gz", "p3", "p4/IM1", "readme.txt"):
        (tmp_path / name).symlink_to("nowhere")
    cases = find_cases(tmp_path)
    assert [case.name for case in cases] == ["a", "b", "p3", "p4"]
    for case in cases[1:]:
        with pytest.raises(ScanError, match="nowhere"):
            read_scan(case.scan)


def test_an_error_about_equal_names_names_the_files(tmp_path: Path) -> None:
    for names in (
        ("x/a.nii", "x/A.nii.gz"),
        ("p1.nii.gz", "p1/IM1.dcm"),
        ("\u00e9.nii", "e\u0301.nii"),
    ):
        folder = touched(tmp_path / names[0][0], "z.nii", *names)
        with pytest.raises(ConfigError, match="would share an output folder") as caught:
            search(folder)
        assert all(name.removesuffix("/IM1.dcm") in str(caught.value) for name in names)


def test_a_folder_that_holds_scans_and_becomes_the_folder_of_results_is_named(
    tmp_path: Path,
) -> None:
    nifti(tmp_path / "a.nii.gz")
    nifti(tmp_path / "p1" / "ct.nii.gz")
    found = search(tmp_path, tmp_path / "p1")
    assert [case.name for case in found.cases or ()] == ["a"]
    assert found.warnings == (
        "The folder of the results contains scan files: it was not searched.",
    )


@pytest.mark.parametrize(("patient", "code"), [("4711", 0), ("other", 3)])
def test_a_second_study_among_the_slices_of_a_case(
    command, segmenter, patients: Path, tmp_path: Path, patient: str, code: int
) -> None:
    """Of the same patient, it is a warning; of another, the case fails, and the others do not."""
    mixed = [
        *of_study(series(), generate_uid()),
        *of_study(series(slices=4), generate_uid(), patient),
    ]
    save(patients / "p3", mixed)
    done = command("segment", "-i", patients, "-o", tmp_path / "out")
    assert done.code == code
    if code == 0:
        (warning,) = read_scan(patients / "p3", any_study=True).warnings
        assert warning.startswith("2 series of 2 studies can be segmented")
    assert ("2 studies or patients" in done.err) == (code == 3)
    assert (tmp_path / "out" / "p1" / "liver.nii.gz").exists()
    alone = command("segment", "-i", patients / "p3", "-o", tmp_path / "alone")
    assert (alone.code, "2 studies or patients" in alone.err) == (4, True)


def test_a_series_of_a_cohort_can_be_selected_by_its_number_in_the_list(
    command, segmenter, patients: Path, tmp_path: Path
) -> None:
    listed = json.loads(command("series", patients, "--json").out)
    assert [each["chosen"] for each in listed] == [True, True]
    out = tmp_path / "one.nii.gz"
    assert command("segment", "-i", patients, "-o", out, "--series", listed[1]["number"]).code == 0
    assert out.exists()


def test_a_single_scan_is_one_case_named_after_it(tmp_path: Path) -> None:
    folder = touched(tmp_path / "series 1", "1.dcm", "2.dcm")
    file = touched(tmp_path, "a.nii.gz") / "a.nii.gz"
    assert find_cases(folder) == [Case(folder, "series 1")]
    assert find_cases(str(file)) == [Case(file, "a")]


def test_the_folder_of_results_is_not_searched(tmp_path: Path) -> None:
    touched(tmp_path, "a.nii", "out/a/liver.nii.gz")
    assert [case.name for case in find_cases(tmp_path)] == ["a", "out/a/liver"]
    assert [case.name for case in find_cases(tmp_path, results=tmp_path / "out")] == ["a"]


@pytest.mark.parametrize(
    ("scan", "name"),
    [
        *(("a.nii.gz", "a"), ("b.c.NII", "b.c"), ("d.hdr", "d"), ("series 1", "series 1")),
        *(("e.img.gz", "e"), ("f.nrrd", "f"), ("g.zip", "g"), ("h.DCM", "h"), ("i.v2", "i.v2")),
    ],
)
def test_a_case_is_named_after_its_scan_without_the_suffix(
    scan: str, name: str, tmp_path: Path
) -> None:
    assert case_name(tmp_path / scan) == name


def test_the_volumes_of_a_4d_scan_are_numbered_from_1(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 3), np.int16), np.eye(4)), path)
    volumes = split_volumes(Case(path, "dynamic"))
    assert volumes == [Case(path, f"dynamic/volume_0{n}", n) for n in (1, 2, 3)]
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), path)
    assert split_volumes(Case(path, "dynamic")) == [Case(path, "dynamic")]


def test_a_scan_that_cannot_be_read_remains_one_case(tmp_path: Path) -> None:
    case = Case(touched(tmp_path, "a.nii.gz") / "a.nii.gz", "a")
    assert split_volumes(case) == [case]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_are_disjoint_and_complete(parts: int, tmp_path: Path) -> None:
    cases = [Case(tmp_path / str(number), str(number)) for number in range(5)]
    found = [case for part in range(parts) for case in select_part(cases, part, parts)]
    assert sorted(found, key=lambda case: case.name) == cases


@pytest.mark.parametrize("part", [-1, 2])
def test_a_part_out_of_range_is_refused(part: int) -> None:
    with pytest.raises(ConfigError, match="expected 0 to 1"):
        select_part([], part, 2)
