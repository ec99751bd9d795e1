"""The data manifest identifies the files of a run without naming them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import pytest

from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.data_manifest import data_manifest
from rma_mamba.datasets.source_files import SourceFiles


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("cached", [False, True])
def test_every_file_has_its_digest(
    config: DataConfig, folder: Path, tmp_path: Path, cached: bool
) -> None:
    config = config.model_copy(update={"cache": str(tmp_path / "cache") if cached else None})
    cases = {"train": read_cases(config, "train")}
    records = data_manifest(SourceFiles(config), cases)  # type: ignore[arg-type]
    first, slices = records[0], records[1]
    image = folder / "volumes" / "images" / "case_01.nii.gz"
    assert first == {
        "source": "volumes",
        "patient": "1",
        "split": "train",
        "slices": 5,
        "slices_with_liver": 3,
        "image_sha256": [sha256(image)],
        "label_sha256": [sha256(folder / "volumes" / "labels" / image.name)],
        "side": "train",  # the old name of "split"
    }
    assert (slices["patient"], slices["slices"], slices["slices_with_liver"]) == ("3", 2, 1)
    assert len({*slices["image_sha256"], *slices["label_sha256"]}) == 4
    scan = nib.load(image)
    nib.save(nib.Nifti1Image(scan.get_fdata() + 1, scan.affine), image)
    changed = data_manifest(SourceFiles(config), cases)  # type: ignore[arg-type]
    assert changed[0]["image_sha256"] != first["image_sha256"]
    assert changed[0]["label_sha256"] == first["label_sha256"]
    assert changed[1:] == records[1:]


def test_neither_names_nor_folders_are_recorded(config: DataConfig, folder: Path) -> None:
    records = data_manifest(SourceFiles(config), {"val": read_cases(config, "val")})
    assert [record["patient"] for record in records] == ["2", "4"]
    assert str(folder) not in str(records)
    assert "case_02" not in str(records)


def test_phantoms_have_no_files(config: DataConfig) -> None:
    case = replace(read_cases(config, "train")[0], source="phantom")
    (record,) = data_manifest(SourceFiles(config), {"train": [case]})
    assert (record["source"], record["image_sha256"], record["slices"]) == ("phantom", [], 5)
