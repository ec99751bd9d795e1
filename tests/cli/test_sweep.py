"""`rma-mamba sweep` reads its options and prints the table."""

import json
from pathlib import Path

import pytest

from folders import folder_config, write_folder
from news import IGNORED
from rma_mamba.training.toml_writer import to_toml
from tiny import MODEL, TRAINING

pytestmark = IGNORED


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    data = folder_config(write_folder(tmp_path / "data"))
    table = {**data.model_dump(mode="json", exclude_unset=True), "slices_per_epoch": 8}
    path = tmp_path / "recipe.toml"
    training = {**TRAINING, "epochs": 1, "loggers": []}
    path.write_text(to_toml({"model": MODEL, "training": training, "data": table}))
    return path


def test_the_table_is_printed_and_the_best_recipe_written(command, recipe, tmp_path) -> None:
    folder = tmp_path / "2026"
    parameters = ("--param", "training.lr=1e-3,3e-3", "--sampler", "grid", "--seeds", "5")
    finished = command("sweep", recipe, *parameters, "-o", folder, "--trials", 1, "-q")
    assert finished.code == 0
    assert finished.out.startswith("| trial | training.lr | validation Dice |")
    content = json.loads((folder / "trials.json").read_text())
    assert content["seeds"] == [5]
    assert len(content["trials"]) == 1
    assert (folder / "best.toml").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "--param"),
        (("--param", "training.lr=1"), "one value"),
        (("--param", "training.lr=1e-3,1e-2", "--seeds", "a"), "the seeds are 'a'"),
        (("--param", "training.lr=1e-3,1e-2", "--sampler", "best"), "--sampler"),
        (("--param", "training.lr=1e-3,1e-2", "--trials", "0"), "--trials"),
    ],
)
def test_a_wrong_option_is_a_usage_error(command, recipe, options, expected) -> None:
    finished = command("sweep", recipe, *options)
    assert finished.code == 2
    assert expected in finished.err
