"""All bundled recipes load, and an invalid setting is a one-line error that names it."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import Recipe, bundled_recipes, load_recipe
from rma_mamba.training.recipe_loading import merge_recipe
from rma_mamba.training.toml_writer import to_toml

MINIMAL = """
[[data.sources]]
name = "a"
kind = "volumes"
dataset = "a"
images = "images"
labels = "labels"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(MINIMAL)
    return path


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_bundled_recipe_loads_and_its_network_exists(name: str) -> None:
    recipe = load_recipe(name)
    with torch.device("meta"):
        create_model(recipe.model.name, **recipe.model.settings)
    assert recipe.run.folder == f"runs/{name}"


def test_the_defaults_are_those_of_the_paper(recipe: Path) -> None:
    training = load_recipe(recipe).training
    assert (training.optimizer, training.lr, training.weight_decay) == ("adam", 1e-4, 0)
    assert (training.epochs, training.patience, training.batch_size) == (500, 50, 16)
    assert training.schedule == "plateau"


def test_the_recipe_paper_t_has_the_settings_of_the_paper() -> None:
    recipe = load_recipe("paper-t")
    augment = recipe.data.augment
    assert (augment.rotation, augment.rotation_degrees) == (0.3, 35)
    assert (augment.horizontal_flip, augment.vertical_flip, augment.cut_outs) == (0.3, 0.3, 0.3)
    assert (recipe.data.recipe.size, recipe.data.recipe.spacing_mm) == (256, None)
    assert recipe.run.seed == 42
    assert recipe.model.name == "rma-mamba-t"
    small = load_recipe("paper-s")
    assert small.model.name == "rma-mamba-s"
    assert (small.data, small.training) == (recipe.data, recipe.training)


# parameters of the networks in the paper's ablation, row by row
ROWS = [30_040_324, 49_482_244, 49_575_748, 59_768_164, 30_133_828, 59_861_668]


@pytest.mark.parametrize(("row", "parameters"), [*enumerate(ROWS, start=1)])
def test_each_row_of_the_ablation_is_a_recipe(row: int, parameters: int) -> None:
    recipe = load_recipe(f"ablation-{row}")
    with torch.device("meta"):
        model = create_model(recipe.model.name, **recipe.model.settings)
    assert sum(each.numel() for each in model.parameters()) == parameters
    assert (recipe.data, recipe.training) == (
        load_recipe("paper-t").data,
        load_recipe("paper-t").training,
    )


def test_the_fine_tuning_recipe_has_the_slice_recipe_of_the_embedded_weights() -> None:
    recipe = load_recipe("fine-tune")
    weights = read_checkpoint(str(files("rma_mamba") / "weights" / "default.safetensors"))
    assert recipe.model.weights == "default"
    assert recipe.model.name == weights.model
    assert recipe.data.recipe == type(recipe.data.recipe).model_validate(weights.recipe)


def test_a_recipe_modifies_its_base(tmp_path: Path, recipe: Path) -> None:
    above, top = tmp_path / "above.toml", tmp_path / "top.toml"
    above.write_text('base = "recipe.toml"\n[training]\nlr = 1e-3\nepochs = 7\n')
    top.write_text('base = "above.toml"\n[training]\nepochs = 8\n[data.recipe]\nsize = 64\n')
    found = load_recipe(top, ["training.batch_size=2"])
    training = found.training
    assert (training.lr, training.epochs, training.batch_size) == (1e-3, 8, 2)
    assert found.data.recipe.size == 64
    assert found.data.sources == load_recipe(recipe).data.sources
    above.write_text('base = "paper-t"\n[[data.sources]]\nname = "b"\nkind = "slices"\n')
    with pytest.raises(ConfigError, match=r"data\.sources\.0\.images"):  # lists are replaced
        load_recipe(above)


@pytest.mark.parametrize("base", ['"itself.toml"', '"round.toml"', "3"])
def test_a_circular_base_is_a_one_line_error(tmp_path: Path, base: str) -> None:
    (tmp_path / "itself.toml").write_text(f"base = {base}\n")
    (tmp_path / "round.toml").write_text('base = "itself.toml"\n')
    with pytest.raises(ConfigError, match=r"the base of the recipe") as caught:
        load_recipe(tmp_path / "itself.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_recipe_survives_writing_and_reading(name: str) -> None:
    content = merge_recipe(name, ["training.lr=1e-9"])
    assert tomllib.loads(to_toml(content)) == content


LEAVES = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text()


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            LEAVES,
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=12,
        ),
    )
)
def test_every_toml_value_survives_writing_and_reading(content: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(content)) == content


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.lr=1e-3", 1e-3),
        ("training.schedule=cosine", "cosine"),
        ('training.schedule="cosine"', "cosine"),
        ("training.epochs = 3", 3),
        ("training.patience=none", None),
        ("training.patience=None", None),
        ("training.patience=null", None),
    ],
)
def test_an_override_replaces_a_setting(recipe: Path, override: str, value: object) -> None:
    training = load_recipe(recipe, [override]).training
    assert getattr(training, override.split("=")[0].split(".")[1].strip()) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.learning_rate=1", "unknown setting 'training.learning_rate'"),
        ("training.epoch=1", "Did you mean 'epochs'"),
        ("trainin.lr=1", "Did you mean 'training'"),
        ("data.recipe.spacing=1", "Did you mean 'spacing_mm'"),
        (
            "training.lr=fast",
            "'training.lr' of the recipe is \"fast\"; expected a number. Correct it.",
        ),
        ("training.epochs=0", "greater than or equal to 1"),
        ("data.crop=100", "'data.crop' of the recipe is 100"),
        ("data.canvases=[64, 512]", "expected at most 256"),
        ("training.lr", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("data.sources=[]", "data.sources"),
        ("data.recipe=3", "data.recipe"),
    ],
)
def test_an_invalid_setting_is_a_one_line_error_that_names_it(
    recipe: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def optional_settings(kind: type[pydantic.BaseModel], prefix: str) -> list[str]:
    """The settings of a model that may be None, with the tables below it."""
    names = []
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            names += optional_settings(field.annotation, f"{prefix}{name}.")
        elif type(None) in get_args(field.annotation):
            names.append(prefix + name)
    return names


@pytest.mark.parametrize("setting", optional_settings(Recipe, ""))
@pytest.mark.parametrize("word", ["none", "None", "null"])
def test_every_optional_setting_can_be_cleared(recipe: Path, setting: str, word: str) -> None:
    value: Any = load_recipe(recipe, [f"{setting}={word}"])
    for name in setting.split("."):
        value = getattr(value, name)
    assert value is None


def test_a_recipe_leaves_out_sources_of_its_base(tmp_path: Path, content: dict[str, Any]) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(to_toml(content))
    path = tmp_path / "derived.toml"
    path.write_text('base = "recipe.toml"\n[data]\nwithout_sources = ["volumes"]\n')
    data = load_recipe(path).data
    assert [source.name for source in data.sources] == ["slices"]
    assert list(data.splits) == ["b"]
    assert Recipe.model_validate_json(load_recipe(path).model_dump_json()).data == data
    assert load_recipe(recipe, ['data.without_sources=["volumes"]']).data == data
    with pytest.raises(ConfigError, match=r"'slice'.*expected names of sources: volumes, slices"):
        load_recipe(recipe, ['data.without_sources=["slice"]'])
    with pytest.raises(ConfigError, match=r"data\.sources"):
        load_recipe(recipe, ['data.without_sources=["volumes", "slices"]'])


def test_a_recipe_with_its_own_sources_has_no_splits_of_other_datasets(tmp_path: Path) -> None:
    path = tmp_path / "derived.toml"
    source = {"name": "mine", "kind": "volumes", "dataset": "chaos", "images": "i", "labels": "l"}
    path.write_text(to_toml({"base": "default", "data": {"sources": [source]}}))
    data = load_recipe(path).data
    assert list(data.splits) == ["chaos"]
    again = tmp_path / "again.toml"
    table = {"sources": [{**source, "dataset": "own"}], "splits": {"other": {"val": ["1"]}}}
    again.write_text(to_toml({"base": "derived.toml", "data": table}))
    with pytest.raises(ConfigError, match=r"splits of unknown datasets \['other'\]"):
        load_recipe(again)  # its own mistakes remain errors


@pytest.mark.parametrize("content", ["[data", "data = 3", "", "\x00"])
def test_a_file_that_is_not_a_recipe_is_a_one_line_error(recipe: Path, content: str) -> None:
    recipe.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lost.toml", "defualt"])
def test_a_missing_recipe_lists_the_bundled_recipes(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ConfigError, match="chaos-mini, default, fine-tune, paper-lits, paper-s, paper-t"
    ):
        load_recipe(tmp_path / name)
