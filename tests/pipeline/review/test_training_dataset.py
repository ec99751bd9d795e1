"""Reviewed cases become a dataset that training reads."""

import json
import tomllib
from pathlib import Path
from shutil import copytree

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.errors import ConfigError, DataError
from rma_mamba.pipeline.review.corrected_mask import read_version
from rma_mamba.pipeline.review.mask_versions import MaskVersions
from rma_mamba.pipeline.review.review_decision import read_decision, write_decision
from rma_mamba.pipeline.review.training_dataset import ExportOptions, export_training_dataset
from rma_mamba.scans import read_scan
from rma_mamba.volume import Mask


@pytest.fixture
def reviewed(cohort, tmp_path: Path) -> Path:
    """Four cases: accepted, corrected, rejected and unseen."""
    for name in ("a", "b", "c", "d/e"):
        cohort(name)
    out = tmp_path / "out"
    mask = read_version(out / "b", out / "b" / "liver.nii.gz")
    labels = mask.labels.copy()
    labels[6, 5:14, 2:10] = 0
    MaskVersions(out / "b").add(
        Mask(labels, mask.geometry, mask.header), parent=1, kind="semiautomatic", author="Jane"
    )
    write_decision(out / "a", "accepted", version=1, reviewer="Jane")
    write_decision(out / "b", "corrected")
    write_decision(out / "c", "rejected")
    return out


def export(reviewed: Path, name: str = "dataset", **options: object):
    options = {"scans": reviewed.parent / "scans", **options}
    return export_training_dataset(reviewed, reviewed.parent / name, ExportOptions(**options))


def test_accepted_and_corrected_masks_are_exported(reviewed: Path) -> None:
    manifest = export(reviewed)
    assert [case.name for case in manifest.cases] == ["a", "b"]
    dataset = reviewed.parent / "dataset"
    versions = json.loads((dataset / "versions.json").read_text())["cases"]
    assert (versions["a"]["version"], versions["a"]["kind"]) == (1, "automatic")
    assert (versions["b"]["version"], versions["b"]["author"]) == (2, "Jane")
    label = read_scan(dataset / "reviewed" / "labels" / "b.nii")
    mask = read_scan(reviewed / "b" / "review" / "v002" / "liver.nii.gz")
    assert np.count_nonzero(label.values) == np.count_nonzero(mask.values)


def test_training_reads_the_data_table(reviewed: Path) -> None:
    from rma_mamba.datasets.config import DataConfig

    export(reviewed)
    table = tomllib.loads((reviewed.parent / "dataset" / "recipe_data.toml").read_text())
    data = DataConfig.model_validate(table["data"])
    assert data.splits["review"].folds == 2
    assert data.sources[0].modality == "MR"


def test_a_second_export_replaces_what_changed(reviewed: Path) -> None:
    export(reviewed)
    write_decision(reviewed / "a", "rejected")
    write_decision(reviewed / "c", "accepted")
    manifest = export(reviewed)
    assert [case.name for case in manifest.cases] == ["b", "c"]
    labels = reviewed.parent / "dataset" / "reviewed" / "labels"
    assert {path.name for path in labels.iterdir()} == {"b.nii", "c.nii"}


def test_cases_of_one_patient_stay_together(reviewed: Path) -> None:
    write_decision(reviewed / "d/e", "accepted")
    manifest = export(reviewed, patient=r"(?:d/)?([abce])")
    assert [case.patient for case in manifest.cases] == ["a", "b", "e"]
    assert [case.patient for case in export(reviewed, "other").cases] == ["a", "b", "d-e"]


def test_volumes_of_a_scan_are_of_one_patient(reviewed: Path, cohort) -> None:
    values = np.stack(
        [read_scan(reviewed.parent / "scans" / f"{name}.nii.gz").values for name in ("a", "c")], -1
    )
    nib.save(
        nib.Nifti1Image(values, np.diag([2.0, 2.0, 5.0, 1.0])),
        reviewed.parent / "scans" / "phases.nii.gz",
    )
    for number, name in enumerate(("a", "c"), 1):
        folder = copytree(reviewed / name, reviewed / "phases" / f"volume_0{number}")
        write_decision(folder, "accepted")
        write_decision(reviewed / name, "rejected")
    manifest = export(reviewed)
    assert [case.patient for case in manifest.cases] == ["b", "phases", "phases"]
    assert all(case.done for case in manifest.cases)


def test_a_version_that_is_newer_than_the_decision_is_noted(reviewed: Path) -> None:
    def correct(name: str) -> None:
        mask = read_version(reviewed / name, reviewed / name / "liver.nii.gz")
        MaskVersions(reviewed / name).add(mask, parent=1, kind="semiautomatic")

    assert export(reviewed).notes == ()
    for name in ("a", "b", "c"):
        correct(name)
    manifest = export(reviewed)
    assert manifest.notes == (
        "2 cases have a newer version than the one that was reviewed (a: version 1 of 2): "
        "the reviewed one is exported.",
        "1 case has a newer version than the one that was reviewed (c: version 1 of 2): rejected, and left out.",
    )
    versions = json.loads((reviewed.parent / "dataset" / "versions.json").read_text())["cases"]
    assert [versions[name]["version"] for name in "ab"] == [1, 2]
    for name in ("a", "b", "c"):  # now the newest is decided on
        write_decision(reviewed / name, "corrected")
    assert export(reviewed).notes == ()


def test_a_mask_of_the_network_is_not_recorded_as_corrected(reviewed: Path) -> None:
    for version in (None, 1):
        with pytest.raises(ConfigError, match="the mask is that of the network; expected a corr"):
            write_decision(reviewed / "a", "corrected", version=version)
    assert read_decision(reviewed / "a").state == "accepted"


def test_only_chosen_states_are_exported(reviewed: Path) -> None:
    assert [case.name for case in export(reviewed, states=("accepted",)).cases] == ["a"]


@pytest.mark.parametrize("state", ["rejected", "unseen", "maybe"])
def test_masks_that_nobody_approved_are_not_exported(reviewed: Path, state: str) -> None:
    with pytest.raises(ConfigError, match=f"'{state}' are no training data; expected accepted or"):
        export(reviewed, states=(state,))


def test_nothing_to_export_is_an_error_that_tells_what_to_do(reviewed: Path) -> None:
    with pytest.raises(DataError, match="Pass their folder with --scans"):
        export(reviewed, scans=reviewed / "a")
    for name in ("a", "b"):
        write_decision(reviewed / name, "unseen")
    with pytest.raises(DataError, match="Review cases with `rma-mamba serve`"):
        export(reviewed)


def test_a_corrupt_decision_is_none(reviewed: Path) -> None:
    (reviewed / "a" / "review" / "review.json").write_text('{"state": "maybe"}')
    assert read_decision(reviewed / "a").state == "unseen"
