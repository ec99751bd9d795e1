"""Which scans are found in a path, and what they are called."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import generate_uid

from dicom_series import save, series
from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.discovery import (
    Case,
    case_name,
    find_cases,
    search,
    select_part,
    split_volumes,
)


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
