"""The measurements of a cohort are one table with a column for the case."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.pipeline.joint_table import is_joint_table, write_joint_table


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def cohort(scan: Path, tmp_path: Path) -> Path:
    """Two scans with livers of different size, the second in a folder, and a corrupt one."""
    folder, image = tmp_path / "cohort", nib.load(scan)
    (folder / "deep").mkdir(parents=True)
    values = np.asarray(image.dataobj).copy()
    nib.save(nib.Nifti1Image(values, image.affine), folder / "a, b.nii")
    values[8:16, 11:16, 2:6] = 1000
    nib.save(nib.Nifti1Image(values, image.affine), folder / "deep" / "c.nii")
    (folder / "bad.nii.gz").write_bytes(scan.read_bytes()[:-40])
    return folder


def test_each_case_is_a_row_as_in_its_own_table(
    command: Callable[..., Any], segmenter: Any, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert command("segment", "-i", cohort, "-o", out, "-ot", "nifti,csv").code == 3
    found = {row["case"]: row for row in rows(out / "measurements.csv")}
    assert list(found) == ["a, b", "bad", "deep/c"]
    for case in ("a, b", "deep/c"):
        (own,) = rows(out / case / "measurements.csv")
        assert found[case] == {"case": case, **own, "error": ""}
        assert own["quality_light"]
    assert (found["bad"]["error"], found["bad"]["volume_ml"]) == ("ScanError", "")
    assert float(found["deep/c"]["volume_ml"]) == 2 * float(found["a, b"]["volume_ml"]) > 0


def test_resumed_cases_are_in_the_table_and_removed_ones_are_not(
    command: Callable[..., Any], segmenter: Any, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command("segment", "-i", cohort, "-o", out, "-ot", "csv")
    before = (out / "measurements.csv").read_bytes()
    command("segment", "-i", cohort, "-o", out, "-ot", "csv", "--resume")
    assert (out / "measurements.csv").read_bytes() == before
    (cohort / "bad.nii.gz").unlink()
    assert command("segment", "-i", cohort, "-o", out, "-ot", "csv", "--resume").code == 0
    assert [row["case"] for row in rows(out / "measurements.csv")] == ["a, b", "deep/c"]


def test_each_part_has_its_own_table_and_other_outputs_have_none(
    command: Callable[..., Any], segmenter: Any, cohort: Path, tmp_path: Path
) -> None:
    for part in range(2):
        parts = ("--num-parts", 2, "--part-id", part)
        command("segment", "-i", cohort, "-o", tmp_path / "out", "-ot", "csv", *parts)
    tables = sorted(path.name for path in (tmp_path / "out").glob("*.csv"))
    assert tables == ["measurements_0_of_2.csv", "measurements_1_of_2.csv"]
    command("segment", "-i", cohort, "-o", tmp_path / "none")
    assert not list((tmp_path / "none").glob("*.csv"))


def test_a_table_among_the_scans_is_replaced_only_if_it_is_a_joint_table(
    command: Callable[..., Any], segmenter: Any, cohort: Path, tmp_path: Path
) -> None:
    (cohort / "measurements.csv").write_text("case,weight\na,80\n")
    done = command("segment", "-i", cohort, "-o", cohort, "-ot", "csv")
    assert (done.code, "one of the input's files" in done.err) == (2, True)
    (cohort / "measurements.csv").unlink()
    for _ in range(2):
        assert command("segment", "-i", cohort, "-o", cohort, "-ot", "csv").code == 3
    assert is_joint_table(cohort / "measurements.csv")


def test_tables_with_different_columns_are_joined(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text('volume_ml,warnings\n1,"x, y"\n')
    (tmp_path / "2.csv").write_text("volume_ml,new\n2,3\n")
    tables = {"one": tmp_path / "1.csv", "two": tmp_path / "2.csv"}
    write_joint_table(tmp_path / "out.csv", tables, {"x": "ScanError"}, ["two", "gone", "x", "one"])
    assert (tmp_path / "out.csv").read_text() == (
        'case,volume_ml,new,warnings,error\ntwo,2,3,,\nx,,,,ScanError\none,1,,"x, y",\n'
    )
    assert is_joint_table(tmp_path / "out.csv")
    assert not is_joint_table(tmp_path / "1.csv")
    assert not is_joint_table(tmp_path / "none.csv")
