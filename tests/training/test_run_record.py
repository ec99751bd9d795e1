"""A run folder contains the recipe as used, versions, digests of the data and curves, but no paths."""

import json
import platform
from pathlib import Path

import torch
from PIL import Image

from rma_mamba.training import load_recipe, train
from rma_mamba.training.run_record import versions


def test_a_run_records_its_recipe_versions_and_data(tmp_path: Path, recipe: Path) -> None:
    run, settings = tmp_path / "run", ["training.epochs=1", "data.slices_per_epoch=8"]
    train(recipe, settings, quiet=True)
    assert load_recipe(run / "recipe.toml") == load_recipe(recipe, settings)
    assert json.loads((run / "recipe.json").read_text())["training"]["patience"] == 50
    found = json.loads((run / "versions.json").read_text())
    assert found == versions(load_recipe(recipe).training)
    assert found["torch"] == torch.__version__
    assert found["python"] == platform.python_version()
    cases = json.loads((run / "data_manifest.json").read_text())
    assert {case["split"] for case in cases} == {"train", "val"}
    assert str(tmp_path) not in (run / "data_manifest.json").read_text()
    with Image.open(run / "curves.png") as curves:
        assert curves.width > curves.height > 300
