"""A patient in two splits is found, over all sequences."""

from __future__ import annotations

import shutil
from pathlib import Path

from audits import audited, found
from layouts import write_nnunet


def test_a_patient_in_t1_train_and_t2_test_is_leakage(cirrmri: Path) -> None:
    for kind in ("images", "masks"):
        folder = cirrmri / "Cirrhosis_T2_3D"
        shutil.move(folder / f"train_{kind}" / "0003.nii.gz", folder / f"test_{kind}" / "3.nii.gz")
    result = audited("cirrmri600", cirrmri)
    assert found(result) == {"leakage": ("T1/train/0003", "T2/test/3")}
    assert result.cases_with_errors == {"T1/train/0003", "T2/test/3"}


def test_a_test_patient_in_the_folds_is_leakage(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    assert audited("nnunet", folder).findings == ()
    shutil.move(folder / "imagesTs/pD_1_0000.nii.gz", folder / "imagesTs/pA_1_0000.nii.gz")
    shutil.move(folder / "labelsTs/pD_1.nii.gz", folder / "labelsTs/pA_1.nii.gz")
    assert found(audited("nnunet", folder)) == {"leakage": ("pA_1", "test/pA_1")}
