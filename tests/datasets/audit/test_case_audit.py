"""Errors of a single case are found, and only those."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from audits import audited, found, label_of
from layouts import AFFINE, save, scan
from rma_mamba.datasets.audit import to_markdown
from rma_mamba.datasets.audit.case_audit import audit_case
from rma_mamba.datasets.layouts import open_dataset
from rma_mamba.evaluation.label_judge import network_judge


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("moved", r"shifted by (+0.00, +1.00, +0.00) voxels"),
        (
            "spacing",
            "44 x 40 x 10 voxels of 2 x 2 x 5 mm, that of the image 44 x 40 x 10 voxels of 2 x 2 x 6",
        ),
        ("shape", "label is 43 x 40 x 10 voxels"),
        ("mirrored", "or rotated"),
    ],
)
def test_a_label_on_another_grid_is_found(folders: Path, change: str, message: str) -> None:
    liver, affine = scan(3)[1], AFFINE.copy()
    if change == "moved":
        affine[1, 3] -= 2.0
    elif change == "spacing":
        affine[2, 2] = 5.0
    elif change == "shape":
        liver = liver[1:]
    else:
        affine[0, 0] *= -1
    save(label_of(folders, 3), liver, affine)
    result = audited("folders", folders)
    assert found(result) == {"grid": ("case_3",)}
    assert message in result.errors[0].text


def test_a_label_in_another_axis_order_is_on_the_same_grid(folders: Path) -> None:
    liver, affine = scan(3)[1][:, ::-1], AFFINE @ np.diag([1.0, -1, 1, 1])
    affine[1, 3] = AFFINE[1, 1] * (liver.shape[1] - 1)
    save(label_of(folders, 3), liver, affine)
    assert audited("folders", folders).findings == ()


def test_unexpected_label_values_are_found(folders: Path) -> None:
    values = scan(3)[1].copy()
    values[0, 0, 0] = 7
    save(label_of(folders, 3), values)
    result = audited("folders", folders)
    assert found(result) == {"label values": ("case_3",)}
    assert "contains the values 7; expected 0-1." in result.errors[0].text


def test_labels_of_0_and_255_and_of_floats_are_accepted(folders: Path) -> None:
    save(label_of(folders, 2), scan(2)[1] * np.uint8(255))
    save(label_of(folders, 3), scan(3)[1].astype(np.float32))
    assert audited("folders", folders).findings == ()


def test_missing_empty_and_corrupt_files_are_found_and_the_rest_is_read(folders: Path) -> None:
    label_of(folders, 1).unlink()
    save(label_of(folders, 2), np.zeros_like(scan(2)[1]))
    (folders / "images" / "case_3.nii.gz").write_bytes(b"no scan")
    save(folders / "labels" / "other.nii.gz", scan(9)[1])
    result = audited("folders", folders)
    assert found(result) == {
        "missing label": ("case_1",),
        "empty label": ("case_2",),
        "unreadable": ("case_3",),
        "files": (),
    }
    assert len(result.errors) == 3
    assert len(result.cases) == 5
    shown = to_markdown(result)
    assert "## Errors: 3" in shown
    assert "1 label without an image" in shown


def test_slices_without_any_liver_are_a_warning(cirrmri: Path) -> None:
    for path in (cirrmri / "Cirrhosis_T2_2D/train/0001/masks").iterdir():
        shutil.copy(next((cirrmri / "Cirrhosis_T2_2D/test/0008/masks").glob("0.png")), path)
    result = audited("cirrmri600", cirrmri)
    assert found(result) == {"empty label": ("T2 2D/train/0001",)}
    assert result.errors == []


def test_a_voxel_size_that_the_judge_cannot_use_is_an_error_of_the_case(folders: Path) -> None:
    metres = AFFINE @ np.diag([30.0, 30.0, 0.1, 1.0])
    for path in (label_of(folders, 3), folders / "images" / label_of(folders, 3).name):
        save(path, np.asanyarray(nib.load(path).dataobj).copy(), metres)
    cases = open_dataset("folders", folders).cases
    facts, findings = audit_case(cases[3], network_judge)
    assert facts is not None
    assert ("grid", "error") in {(each.kind, each.level) for each in findings}
    assert any("Check the voxel size and its unit" in each.text for each in findings)
