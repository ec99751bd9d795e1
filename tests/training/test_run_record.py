"""What a run leaves: the recipe as it was used, versions, the data's digests, curves, and no paths."""

import hashlib
import json
import platform
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import torch
from PIL import Image

from folders import folder_config, write_folder
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.data_manifest import data_manifest
from rma_mamba.training import load_recipe, train
from rma_mamba.training.curves import draw_curves
from rma_mamba.training.run_record import versions


def test_a_run_tells_its_recipe_its_versions_and_its_data(tmp_path: Path, recipe: Path) -> None:
    run, settings = tmp_path / "run", ["training.epochs=1", "data.slices_per_epoch=8"]
    train(recipe, settings, quiet=True)
    assert load_recipe(run / "recipe.toml") == load_recipe(recipe, settings)
    assert json.loads((run / "recipe.json").read_text())["training"]["patience"] == 50
    found = json.loads((run / "versions.json").read_text())
    assert found == versions()
    assert found["torch"] == torch.__version__
    assert found["python"] == platform.python_version()
    cases = json.loads((run / "data_manifest.json").read_text())
    assert {case["side"] for case in cases} == {"train", "valid"}
    assert str(tmp_path) not in (run / "data_manifest.json").read_text()
    with Image.open(run / "curves.png") as curves:
        assert curves.width > curves.height > 300


def test_the_manifest_has_the_digests_of_every_file(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "data")
    config = folder_config(folder).model_copy(update={"cache": str(tmp_path / "cache")})
    entries = data_manifest(config, {"train": read_cases(config, "train")})
    first, slices = entries[0], entries[1]
    image = folder / "volumes" / "images" / "case_01.nii.gz"
    assert first == {
        "source": "volumes",
        "patient": "1",
        "side": "train",
        "slices": 5,
        "slices_with_liver": 3,
        "image_sha256": [hashlib.sha256(image.read_bytes()).hexdigest()],
        "label_sha256": [
            hashlib.sha256((folder / "volumes" / "labels" / image.name).read_bytes()).hexdigest()
        ],
    }
    assert (slices["patient"], slices["slices"], slices["slices_with_liver"]) == ("3", 2, 1)
    assert len(slices["image_sha256"]) == len(slices["label_sha256"]) == 2
    assert len({*slices["image_sha256"], *slices["label_sha256"]}) == 4
    scan = nib.load(image)
    nib.save(nib.Nifti1Image(scan.get_fdata() + 1, scan.affine), image)
    changed = data_manifest(config, {"train": read_cases(config, "train")})
    assert changed[0]["image_sha256"] != first["image_sha256"]
    assert changed[0]["label_sha256"] == first["label_sha256"]
    assert changed[1:] == entries[1:]


def test_phantoms_have_no_files(tmp_path: Path) -> None:
    (case, *_) = read_cases(folder_config(write_folder(tmp_path)), "train")
    (entry,) = data_manifest(folder_config(tmp_path), {"train": [replace(case, source="phantom")]})
    assert (entry["source"], entry["image_sha256"], entry["slices"]) == ("phantom", [], 5)


def test_curves_of_one_epoch_and_of_many_are_drawn() -> None:
    for epochs in (1, 40):
        names = ("train_loss", "val_loss", "val_dice", "lr")
        assert draw_curves({name: [0.5] * epochs for name in names}).startswith(b"\x89PNG")
