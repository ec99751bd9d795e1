"""A run continues with its own recipe: what may change is recorded, everything else is refused in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rma_mamba.errors import ConfigError
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import train
from rma_mamba.training.recipe_changes import check_resumed_recipe, recipe_changes
from rma_mamba.training.recipe_loading import load_recipe
from rma_mamba.training.run_files import RECIPE_JSON

RECORD = ("recipe.toml", "recipe.json", "versions.json", "data_manifest.json")


@pytest.fixture
def run(tmp_path: Path, recipe: Path) -> Path:
    """The folder of a run of which only the recipe is recorded."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / RECIPE_JSON).write_text(load_recipe(recipe).model_dump_json())
    return folder


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("training.lr=1e-4", r"training\.lr was 0\.003 and is now 0\.0001;"),
        ("training.optimizer=adamw", 'training.optimizer was "adam" and is now "adamw"'),
        ("training.clip_norm=1", r"training\.clip_norm was none and is now 1\.0"),
        ("model.name=unet", 'model.name was "rma-mamba-n" and is now "unet"'),
        ("model.settings.width=16", r"model\.settings\.width was 8 and is now 16"),
        ("model.settings.half_width=0", r"half_width was not set and is now 0"),
        ("model.weights=other.safetensors", r"model\.weights was none"),
        ("run.seed=7", r"run\.seed was 42 and is now 7"),
        ("data.crop=64", r"data\.crop was 32 and is now 64"),
        ("data.recipe.threshold=0.4", r"data\.recipe\.threshold was 0\.5"),
        ("data.augment.noise=0.5", r"data\.augment\.noise was 0"),
        ('data.splits.b.val=["3"]', r"data\.splits\.b\.val was"),
    ],
)
def test_a_changed_setting_is_named_with_both_values(
    run: Path, recipe: Path, setting: str, found: str
) -> None:
    with pytest.raises(ConfigError, match=found) as caught:
        check_resumed_recipe(run, load_recipe(recipe, [setting]))
    assert "\n" not in str(caught.value)
    assert "model.weights=RUN_FOLDER/checkpoints/last.ckpt" in str(caught.value)


def test_a_changed_source_is_named(run: Path, recipe: Path) -> None:
    content = load_recipe(recipe).model_dump(mode="json")
    content["data"]["sources"][1]["weight"] = 5.0
    changes = recipe_changes(load_recipe(recipe).model_dump(mode="json"), content)
    assert changes == {"data.sources.slices.weight": (2.0, 5.0)}


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["training.epochs=9", "training.patience=none"],
        ["training.workers=3", "training.devices=2", "training.precision=bf16-mixed"],
        ["data.root=elsewhere", "data.cache=cache", "run.folder=moved"],
        ['training.loggers=["csv"]', "training.batch_size=2", "training.accumulate=2"],
        # a default that is written out is no change
        ["training.optimizer=adam", "training.clip_norm=none", "data.crop=32"],
    ],
)
def test_place_length_and_division_of_steps_may_change(
    run: Path, recipe: Path, settings: list[str]
) -> None:
    changes = check_resumed_recipe(run, load_recipe(recipe, settings))
    changed = load_recipe(recipe, settings).model_dump(mode="json")
    assert changes == recipe_changes(load_recipe(recipe).model_dump(mode="json"), changed)


def test_many_changes_are_counted(run: Path, recipe: Path) -> None:
    settings = [
        f"data.augment.{name}=0.5" for name in ("noise", "blur", "gamma", "window", "shear")
    ]
    with pytest.raises(ConfigError, match="and 1 more; expected"):
        check_resumed_recipe(run, load_recipe(recipe, settings))


def test_a_record_of_an_earlier_version_has_the_defaults_of_new_settings(
    run: Path, recipe: Path
) -> None:
    content: dict[str, Any] = json.loads((run / RECIPE_JSON).read_text())
    del content["training"]["freeze_norms"], content["data"]["stack_depths"]
    (run / RECIPE_JSON).write_text(json.dumps(content))
    assert check_resumed_recipe(run, load_recipe(recipe)) == {}


@pytest.mark.parametrize("damaged", [b"", b"{}", b'{"run": {"colour": 1}}'])
def test_a_damaged_record_is_a_one_line_error(run: Path, recipe: Path, damaged: bytes) -> None:
    (run / RECIPE_JSON).write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"recipe\.json in the folder run is damaged"):
        check_resumed_recipe(run, load_recipe(recipe))


def test_a_resumed_run_keeps_its_record_and_adds_what_has_changed(
    tmp_path: Path, recipe: Path
) -> None:
    run = tmp_path / "run"
    first = ["training.epochs=1", "data.slices_per_epoch=8"]
    train(recipe, first, quiet=True)
    before = {name: (run / name).read_bytes() for name in RECORD}
    with pytest.raises(ConfigError, match=r"training\.lr was 0\.003 and is now 0\.1"):
        train(recipe, [*first, "training.lr=0.1"], resume=True, quiet=True)
    longer = ["training.epochs=2", "data.slices_per_epoch=8"]
    train(recipe, longer, resume=True, quiet=True)
    assert before == {name: (run / name).read_bytes() for name in RECORD}
    (record,) = json.loads((run / "resumes.json").read_text())
    assert record == {"epoch": 1, "settings": {"training.epochs": [1, 2]}, "versions": {}}
    weights = read_checkpoint(run / "weights.safetensors")
    assert weights.provenance["changes"] == [
        {"settings": {"training.epochs": [1, 2]}, "versions": {}}
    ]

    # a network that changed behind the same name, or a foreign checkpoint
    (run / RECIPE_JSON).unlink()
    with pytest.raises(ConfigError, match="belongs to another network") as caught:
        train(recipe, [*longer, "model.settings.width=16"], resume=True, quiet=True)
    assert "\n" not in str(caught.value)

    picture = next((tmp_path / "data/slices/images").glob("p003_*"))
    Image.new("L", (32, 40), 7).save(picture)
    with pytest.raises(
        ConfigError, match=r"changed: source slices, patient 3 \(train\)\); expected"
    ):
        train(recipe, longer, resume=True, quiet=True)


def test_a_completed_run_without_checkpoints_is_not_overwritten(
    tmp_path: Path, recipe: Path
) -> None:
    run = tmp_path / "run"
    train(recipe, ["training.epochs=1"], quiet=True)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(ConfigError, match="already contains a training run"):
        train(recipe, quiet=True)
    with pytest.raises(ConfigError, match="no checkpoint to continue from"):
        train(recipe, resume=True, quiet=True)
