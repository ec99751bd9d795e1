"""What a run leaves: the recipe as it was used, versions, the data's digests, curves, and no paths."""

import json
import platform
from pathlib import Path

import torch
from PIL import Image

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
    assert {case["split"] for case in cases} == {"train", "val"}
    assert str(tmp_path) not in (run / "data_manifest.json").read_text()
    with Image.open(run / "curves.png") as curves:
        assert curves.width > curves.height > 300


def test_curves_of_one_epoch_and_of_many_are_drawn() -> None:
    for epochs in (1, 40):
        names = ("train_loss", "val_loss", "val_dice", "lr")
        assert draw_curves({name: [0.5] * epochs for name in names}).startswith(b"\x89PNG")
