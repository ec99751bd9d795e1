"""The raw format of nnU-Net."""

from __future__ import annotations

import json
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


def test_a_published_fold_with_a_patient_in_two_splits_is_rejected(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    path = tmp_path / "nnUNet_preprocessed" / folder.name / "splits_final.json"
    path.write_text(json.dumps([{"train": ["pA_1"], "val": ["pA_2"]}]))
    assert len(open_dataset("nnunet", folder).folds) == 1
    with pytest.raises(ConfigError, match=r"data leakage: 1 patients of fold 0"):
        open_dataset("nnunet", folder, LayoutOptions(patient=r"(p.)_\d"))
    path.write_text("{}[")
    with pytest.raises(ConfigError, match="is not valid"):
        open_dataset("nnunet", folder)
