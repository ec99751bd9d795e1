"""Identical images and labels are found in any format."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from audits import audited, found, label_of
from layouts import AFFINE, save


def test_a_scan_with_two_patient_ids_is_a_duplicate_in_any_format_and_axis_order(
    folders: Path,
) -> None:
    for kind in ("images", "labels"):
        image = nib.load(folders / kind / "case_1.nii.gz")
        values = np.asanyarray(image.dataobj)[::-1].astype(np.float32)
        affine = AFFINE @ np.diag([-1.0, 1, 1, 1])
        affine[0, 3] = AFFINE[0, 0] * (values.shape[0] - 1)
        (folders / kind / "case_4.nii.gz").unlink()
        save(folders / kind / "case_4.nii", values, affine)
    assert found(audited("folders", folders)) == {"duplicate image": ("case_1", "case_4")}


def test_a_part_of_a_scan_is_a_duplicate(folders: Path) -> None:
    for kind in ("images", "labels"):
        values = np.asanyarray(nib.load(folders / kind / "case_1.nii.gz").dataobj)[:, :, 2:8]
        save(folders / kind / "case_4.nii.gz", values)
    (finding,) = audited("folders", folders).findings
    assert (finding.kind, finding.level) == ("duplicate image", "error")
    assert finding.text.startswith("duplicates: 6 slices are identical")


def test_the_label_of_another_case_is_a_duplicate(folders: Path) -> None:
    shutil.copy(label_of(folders, 2), label_of(folders, 5))
    kinds = found(audited("folders", folders))
    kinds.pop("shifted label", None)  # it is, too
    assert kinds == {"duplicate label": ("case_2", "case_5")}


def test_identical_scans_of_one_patient_are_a_warning(folders: Path) -> None:
    for kind in ("images", "labels"):
        shutil.copy(folders / kind / "case_2.nii.gz", folders / kind / "case_2b.nii.gz")
    result = audited("folders", folders, patient=r"case_(\d).*")
    assert found(result) == {"duplicate image": ("case_2", "case_2b")}
    assert result.errors == []
