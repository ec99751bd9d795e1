"""Intact datasets have no findings; a single error in real data is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from audits import audited, found
from layouts import save, write_chaos, write_nnunet
from public_scans import DATA, needs_public_scans
from rma_mamba.datasets.audit import AuditResult, audit
from rma_mamba.datasets.layouts import open_dataset


@pytest.mark.parametrize("name", ["cirrmri600", "chaos", "folders"])
def test_an_intact_dataset_has_no_findings(tmp_path: Path, request, name: str) -> None:
    fixture = "cirrmri" if name == "cirrmri600" else name
    root = write_chaos(tmp_path) if name == "chaos" else request.getfixturevalue(fixture)
    result = audited(name, root)
    if name == "chaos":  # the test's T1 and T2 of a patient have the same label
        assert {finding.kind for finding in result.findings} == {"duplicate label"}
        assert result.errors == []
    else:
        assert result.findings == ()
    assert len(result.cases) == len(result.dataset.cases)


def test_a_leak_of_a_published_fold_is_listed_with_the_other_errors(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    path = tmp_path / "nnUNet_preprocessed" / folder.name / "splits_final.json"
    path.write_text(json.dumps([{"train": ["pA_1", "pA_2"], "val": ["pA_2"]}]))
    (folder / "labelsTr" / "pB_1.nii.gz").unlink()
    result = audited("nnunet", folder)
    assert found(AuditResult(result.dataset, result.cases, tuple(result.errors))) == {
        "leakage": ("pA_2",),
        "missing label": ("pB_1",),
    }


@needs_public_scans
def test_on_real_scans_only_the_shifted_label_is_reported(tmp_path: Path) -> None:
    dataset = open_dataset("auto", DATA / "mr_t2_chaos")
    entries = list(dataset.cases)
    label = nib.load(entries[3].labels[0])
    path = save(tmp_path / "label.nii", np.roll(np.asanyarray(label.dataobj), 1, 2), label.affine)
    entries[3] = replace(entries[3], labels=(path,))
    result = audit(replace(dataset, cases=tuple(entries)))
    assert found(result) == {"shifted label": (entries[3].name,)}
    assert sum(case.slices for case in result.cases) == 577
