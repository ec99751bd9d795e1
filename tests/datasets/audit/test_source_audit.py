"""The data of a recipe are refused if they have errors, or used in spite of them and recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from folders import folder_config, write_folder
from layouts import save
from public_scans import DATA, needs_public_scans
from rma_mamba.datasets.audit import data_errors, require_sound_data
from rma_mamba.datasets.audit.source_audit import CHECKS
from rma_mamba.datasets.config import DataConfig
from rma_mamba.errors import DataError
from rma_mamba.training.recipe_loading import merge_recipe, validate_recipe
from tumours import tumour_recipe, write_tumours


def test_sound_data_pass(config: DataConfig) -> None:
    assert require_sound_data(config, ("train", "val", "test")) == []


def test_a_mistyped_patient_is_refused_or_recorded(tmp_path: Path) -> None:
    content = folder_config(write_folder(tmp_path)).model_dump()
    content["splits"]["a"]["val"] = ["02", "22"]
    config = DataConfig.model_validate(content)
    with pytest.raises(DataError, match=r"data.splits.a.val names patient 22"):
        require_sound_data(config, ("train",))
    warned: list[str] = []
    written = tmp_path / "results"
    (record,) = require_sound_data(
        config, ("train",), lenient=True, warn=warned.extend, record=written
    )
    assert (record["kind"], len(warned)) == ("split", 1)
    found = json.loads((written / CHECKS).read_text())
    assert found == {"lenient": True, "errors": [{**record, "cases": []}]}


def test_a_patient_in_two_splits_is_refused_even_by_lenient_checks(config: DataConfig) -> None:
    content = config.model_dump()
    content["splits"] = {}
    volumes = content["sources"][0]
    content["sources"] = [
        {**volumes, "split": "train"},
        {**volumes, "name": "again", "split": "test"},
    ]
    with pytest.raises(DataError, match="in two splits, train and test"):
        require_sound_data(DataConfig.model_validate(content), ("test",), lenient=True)


@pytest.mark.parametrize("val", [["01"], ["01", "03"], ["02"]])
def test_a_copied_scan_is_an_error_unless_both_are_in_training(
    tmp_path: Path, val: list[str]
) -> None:
    content = folder_config(write_folder(tmp_path)).model_dump()
    content["splits"]["a"] = {"val": val}
    folder = tmp_path / "volumes"
    for kind in ("images", "labels"):
        shutil.copy(folder / kind / "case_01.nii.gz", folder / kind / "case_03.nii.gz")
    config = DataConfig.model_validate(content)
    warned: list[str] = []
    if val != ["02"]:
        with pytest.raises(DataError, match=r"identical voxel by voxel; the cases are of patients"):
            require_sound_data(config, ("train", "val"), warn=warned.extend)
    else:
        assert require_sound_data(config, ("train", "val"), warn=warned.extend) == []
        (text,) = warned
        assert text.endswith("Both are in training.")


@pytest.mark.parametrize("count", [2, 5])
def test_single_slices_may_all_be_of_the_tip_of_the_liver(tmp_path: Path, count: int) -> None:
    config = folder_config(write_folder(tmp_path))
    folder = tmp_path / "slices"
    mask = np.zeros((40, 32), np.uint8)
    mask[20, 8] = 255
    for number in range(count):
        grey = np.random.default_rng(number).integers(20, 60, mask.shape).astype(np.uint8)
        Image.fromarray(grey).save(folder / "images" / f"p003_z{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"p003_z{number}.png")
    if count == 2:
        assert require_sound_data(config, ("train",)) == []
    else:
        with pytest.raises(DataError, match=r"is tiny: 1 pixels in its largest slice"):
            require_sound_data(config, ("train",))


@needs_public_scans
@pytest.mark.parametrize("name", ["whole-scan", "chaos-mini", "btcv-mini"])
def test_the_public_data_of_bundled_recipes_pass(name: str) -> None:
    recipe = validate_recipe(merge_recipe(name, [f"data.root={DATA}"]))
    assert require_sound_data(recipe.data, ("train", "val", "test")) == []


def test_a_label_without_the_value_of_the_liver_is_refused(tmp_path: Path) -> None:
    config = folder_config(write_folder(tmp_path))
    path = tmp_path / "volumes" / "labels" / "case_01.nii.gz"
    label = nib.load(path)
    save(path, (np.asanyarray(label.dataobj) // 2).astype(np.uint8), label.affine)
    with pytest.raises(DataError, match=r"volumes/1: the label contains no liver \(value 6\)"):
        require_sound_data(config, ("train",))


def test_corrected_data_are_checked_again(tmp_path: Path) -> None:
    config = folder_config(write_folder(tmp_path))
    path = tmp_path / "volumes" / "labels" / "case_01.nii.gz"
    sound = path.read_bytes()
    label = nib.load(path)
    save(path, np.zeros(label.shape, np.uint8), label.affine)
    with pytest.raises(DataError, match="no liver"):
        require_sound_data(config, ("train",))
    path.write_bytes(sound)
    assert require_sound_data(config, ("train",)) == []


def test_data_are_checked_again_for_other_classes(tmp_path: Path) -> None:
    content = tumour_recipe(write_tumours(tmp_path / "data"), tmp_path / "run")["data"]
    path = tmp_path / "data" / "labels" / "liver_0.nii"
    label = nib.load(path)
    save(path, 2 * (np.asanyarray(label.dataobj) > 0).astype(np.uint8), label.affine)
    content["recipe"]["labels"] = {"names": ["liver", "tumour"]}
    assert require_sound_data(DataConfig.model_validate(content), ("train",)) == []
    content["recipe"]["labels"] = {"names": ["parenchyma"]}
    with pytest.raises(DataError, match=r"CT/0: the label contains no liver \(value 1\)"):
        require_sound_data(DataConfig.model_validate(content), ("train",))


def test_several_configurations_are_checked_together(tmp_path: Path) -> None:
    content = folder_config(write_folder(tmp_path)).model_dump()
    folds = []
    for fold in range(2):
        content["splits"]["a"] = {"folds": 2, "fold": fold}
        content["splits"]["b"] = {"val": ["44"], "test": ["11"]}
        folds.append(DataConfig.model_validate(content))
    (error,) = require_sound_data(folds, ("train", "val"), lenient=True, record=tmp_path / "out")
    assert "names patient 44" in error["text"]
    assert data_errors(tmp_path / "out") == [{**error, "cases": []}]
    assert data_errors(tmp_path) == []
    folds = [each.model_copy(update={"splits": {}}) for each in folds]
    assert require_sound_data(folds, ("train", "val"), record=tmp_path / "out") == []
    assert not (tmp_path / "out" / CHECKS).exists()  # the errors of earlier results
