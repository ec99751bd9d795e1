"""The raw format of nnU-Net."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from layouts import (
    write_nnunet,
)
from rma_mamba.datasets.layouts import (
    LayoutOptions,
    open_dataset,
)
from rma_mamba.errors import ConfigError


def test_liver_modality_and_folds_are_read(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    by_visit = open_dataset("nnunet", folder)
    assert [len(fold) for fold in by_visit.folds] == [2, 2]
    dataset = open_dataset("nnunet", folder, LayoutOptions(patient=r"(p.)_\d"))
    assert dataset.folds == (("pA",), ("pB",))
    assert [each.patient for each in dataset.cases] == ["pA", "pA", "pB", "pB", "pC", "pC", "pD"]
    assert dataset.cases[-1].split == "test"
    assert dataset.cases[0].modality == "MR"
    assert dataset.cases[0].rule.liver == {1, 2}
    assert dataset.cases[0].dataset == "dataset021_liver"
    assert open_dataset("nnunet", folder, LayoutOptions(liver=(1,))).cases[0].rule.liver == {1}


def test_version_1_is_read_and_labels_without_liver_are_rejected(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    described = {
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen", "6": "liver"},
    }
    (folder / "dataset.json").write_text(json.dumps(described))
    dataset = open_dataset("nnunet", folder)
    assert (dataset.cases[0].modality, dataset.cases[0].rule.liver) == ("CT", {6})
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "spleen": 1}}))
    with pytest.raises(ConfigError, match=r"defines the labels spleen; .*--liver"):
        open_dataset("nnunet", folder)
    for content in ("[]", "{", '{"labels": 3}'):
        (folder / "dataset.json").write_text(content)
        with pytest.raises(ConfigError, match=r"dataset\.json"):
            open_dataset("nnunet", folder)


def test_a_published_fold_with_a_patient_in_two_splits_is_a_fault(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    path = tmp_path / "nnUNet_preprocessed" / folder.name / "splits_final.json"
    path.write_text(json.dumps([{"train": ["pA_1"], "val": ["pA_2"]}]))
    by_visit = open_dataset("nnunet", folder)
    assert (len(by_visit.folds), by_visit.faults) == (1, ())
    (fault,) = open_dataset("nnunet", folder, LayoutOptions(patient=r"(p.)_\d")).faults
    assert (fault.kind, fault.cases) == ("leakage", ("pA_1", "pA_2"))
    assert "a patient is in train and val of fold 0" in fault.text
    path.write_text("{}[")
    with pytest.raises(ConfigError, match="is not valid"):
        open_dataset("nnunet", folder)


def test_a_case_in_both_splits_of_a_fold_is_a_fault_of_that_fold_alone(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    path = tmp_path / "nnUNet_preprocessed" / folder.name / "splits_final.json"
    folds = json.loads(path.read_text())
    folds[1]["train"].append(folds[1]["val"][0])
    path.write_text(json.dumps(folds))
    (fault,) = open_dataset("nnunet", folder).faults
    assert fault.cases == (folds[1]["val"][0],)
    assert "a case is in train and val of fold 1" in fault.text


@pytest.mark.parametrize("name", ["extra", "pZ_1_0001"])
def test_an_image_without_a_first_channel_is_a_fault(tmp_path: Path, name: str) -> None:
    folder = write_nnunet(tmp_path)
    first = folder / "imagesTr" / "pA_1_0000.nii.gz"
    shutil.copy(first, folder / "imagesTr" / f"{name}.nii.gz")
    shutil.copy(first, folder / "imagesTr" / "pA_1_0001.nii.gz")  # a further channel
    dataset = open_dataset("nnunet", folder)
    assert [fault.cases for fault in dataset.faults] == [(name.removesuffix("_0001"),)]
    assert "has no first channel" in dataset.faults[0].text
    assert dataset.irregularities == ()


def test_labels_without_an_image_are_counted(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    labels = folder / "labelsTr"
    shutil.copy(labels / "pA_1.nii.gz", labels / "pX_1.nii.gz")
    assert open_dataset("nnunet", folder).irregularities == (
        "1 label of labelsTr without an image: skipped.",
    )
