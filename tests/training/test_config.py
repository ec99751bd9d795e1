"""Recipes: all that ship load, and a wrong setting is one line that names it."""

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model
from rma_mamba.training import load_recipe, shipped_recipes

MINIMAL = """
[[data.sources]]
name = "a"
kind = "volumes"
cohort = "a"
images = "images"
labels = "labels"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(MINIMAL)
    return path


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_loads_and_its_network_exists(name: str) -> None:
    recipe = load_recipe(name)
    create_model(recipe.model.name, **recipe.model.settings)


def test_the_defaults_are_the_papers(recipe: Path) -> None:
    training = load_recipe(recipe).training
    assert (training.optimizer, training.lr, training.weight_decay) == ("adam", 1e-4, 0)
    assert (training.epochs, training.patience, training.batch_size) == (500, 50, 16)
    assert training.schedule == "plateau"


def test_the_papers_recipe_is_the_papers() -> None:
    recipe = load_recipe("paper-t")
    augment = recipe.data.augment
    assert (augment.rotation, augment.rotation_degrees) == (0.3, 35)
    assert (augment.horizontal_flip, augment.vertical_flip, augment.cut_outs) == (0.3, 0.3, 0.3)
    assert (recipe.data.recipe.size, recipe.data.recipe.spacing_mm) == (256, None)
    assert recipe.run.seed == 42
    assert recipe.model.name == "rma-mamba-t"
    assert load_recipe("paper-s").model.name == "rma-mamba-s"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.lr=1e-3", 1e-3),
        ("training.schedule=cosine", "cosine"),
        ('training.schedule="cosine"', "cosine"),
        ("training.epochs = 3", 3),
    ],
)
def test_a_setting_is_overridden(recipe: Path, override: str, value: object) -> None:
    training = load_recipe(recipe, [override]).training
    assert getattr(training, override.split("=")[0].split(".")[1].strip()) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.learning_rate=1", "unknown setting 'training.learning_rate'"),
        ("training.epoch=1", "Did you mean 'epochs'"),
        ("trainin.lr=1", "Did you mean 'training'"),
        ("data.recipe.spacing=1", "Did you mean 'spacing_mm'"),
        ("training.lr=fast", "'training.lr' is \"fast\""),
        ("training.epochs=0", "greater than or equal to 1"),
        ("data.crop=100", "'data.crop' is 100"),
        ("data.canvases=[64, 512]", "none above 256"),
        ("training.lr", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("data.sources=[]", "data.sources"),
        ("data.recipe=3", "data.recipe"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    recipe: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["[data", "data = 3", "", "\x00"])
def test_a_file_that_is_no_recipe_is_one_line(recipe: Path, content: str) -> None:
    recipe.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lost.toml", "defualt"])
def test_a_missing_recipe_lists_those_that_ship(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="default, fine-tune, paper-s, paper-t"):
        load_recipe(tmp_path / name)
