"""Recipes with old keys mean what they meant before, with a warning."""

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.training.recipe_loading import load_recipe, merge_recipe

WARNING = r"'valid' is deprecated and will be removed in 0\.3\.0; use 'val'"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_an_old_key_replaces_the_current_one_of_the_base(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.toml", 'base = "default"\n[data.splits.chaos]\nvalid = ["7"]\n')
    with pytest.warns(DeprecationWarning, match=WARNING):
        recipe = load_recipe(mine)
    assert recipe.data.splits["chaos"].val == ("7",)
    assert recipe.data.splits["chaos"].test == ("05", "20", "36")


def test_an_override_may_use_an_old_key() -> None:
    with pytest.warns(DeprecationWarning, match=WARNING):
        recipe = load_recipe("default", ['data.splits.chaos.valid=["7"]'])
    assert recipe.data.splits["chaos"].val == ("7",)


def test_a_key_of_that_name_elsewhere_is_left_alone(tmp_path: Path) -> None:
    content = merge_recipe(write(tmp_path / "mine.toml", "[other]\nvalid = 3\n"))
    assert content == {"other": {"valid": 3}}


def test_both_names_in_one_table_are_refused(tmp_path: Path) -> None:
    both = write(tmp_path / "mine.toml", '[data.splits.a]\nvalid = ["1"]\nval = ["2"]\n')
    with pytest.raises(ConfigError, match="both 'val' and its old name 'valid'"):
        merge_recipe(both)


@pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning")
def test_old_keys_of_the_slice_recipe_replace_those_of_the_base(tmp_path: Path) -> None:
    text = 'base = "default"\n[data.recipe]\nmagnifications = [1.0]\n'
    mine = write(tmp_path / "mine.toml", text)
    assert load_recipe(mine).data.recipe.tta_scales == (1.0,)
    override = ["data.recipe.magnifications=[1.0, 1.2]"]
    assert load_recipe("default", override).data.recipe.tta_scales == (1.0, 1.2)
