"""The recipe of a training run: TOML files and overrides, merged and validated before any data are read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from rma_mamba.errors import ConfigError
from rma_mamba.setting_errors import as_config_error
from rma_mamba.training.bundled_toml import bundled_names, read_toml
from rma_mamba.training.config import Recipe
from rma_mamba.training.old_keys import current_key, with_current_keys

_RECIPES = "training/recipes"
_BASE = "base"
_LABELS = "labels"
_DATA_KEYS = (
    "root",
    "sources",
    "without_sources",
    "splits",
)  # keys of [data] that describe a dataset


def bundled_recipes() -> list[str]:
    """Names of the bundled recipes."""
    return bundled_names(_RECIPES)


def load_recipe(
    recipe: str | Path, overrides: Sequence[str] = (), data: str | Path | None = None
) -> Recipe:
    """Read a recipe and apply `KEY=VALUE` overrides; arguments and errors as in `merge_recipe`.

    Raises:
        ConfigError: A setting is unknown or has an invalid value.
    """
    return validate_recipe(merge_recipe(recipe, overrides, data))


def merge_recipe(
    recipe: str | Path, overrides: Sequence[str] = (), data: str | Path | None = None
) -> dict[str, Any]:
    """The content of a recipe merged with its base, data and overrides; not yet validated.

    Args:
        recipe: A TOML file, or the name of a bundled recipe. Its key `base` names another recipe that it
            modifies (a file relative to its own folder, or a bundled recipe): tables are merged, all other
            values are replaced.
        overrides: Settings such as "training.lr=1e-4"; a value that is not valid TOML is a string.
        data: A TOML file whose `data.root`, `data.sources` and `data.splits` replace those of the recipe,
            as written by `rma-mamba data prepare`.

    Raises:
        ConfigError: A file does not exist or is not valid TOML, or recipes are based on each other.
    """
    content = _with_base(recipe, ())
    if data is not None:
        _replace_data(content, data)
    for override in overrides:
        _apply_override(content, override)
    return content


def validate_recipe(content: Mapping[str, Any]) -> Recipe:
    """Validate the content of a recipe.

    Raises:
        ConfigError: A setting is unknown or has an invalid value.
    """
    try:
        return Recipe.model_validate(content)
    except pydantic.ValidationError as error:
        raise as_config_error(error, Recipe, "the recipe") from None


def _with_base(recipe: str | Path, descendants: tuple[str, ...]) -> dict[str, Any]:
    content = _read(recipe)
    base = content.pop(_BASE, None)
    if base is None:
        return content
    path = str(Path(recipe).resolve())
    if not isinstance(base, str) or path in descendants:
        raise ConfigError(
            f"the base of the recipe {Path(recipe).name} is {json.dumps(base, default=str)}; expected the name "
            "of a recipe that is not based on this one. Correct `base`."
        )
    if base not in bundled_recipes():
        base = str(Path(recipe).parent / base)
    inherited = _with_base(base, (*descendants, path))
    _drop_replaced_data(inherited, content)
    return _merge(inherited, content)


def _replace_data(content: dict[str, Any], data: str | Path) -> None:
    """Replace the dataset of a recipe by that of another file, but keep its processing settings."""
    description = _read(data)
    table = description.get("data")
    if not isinstance(table, dict) or "sources" not in table:
        raise ConfigError(
            f"the file {Path(data).name} has no data.sources; expected the description of a prepared dataset. "
            "Create it with rma-mamba data prepare."
        )
    target = content.setdefault("data", {})
    for name in _DATA_KEYS:
        target.pop(name, None)
        if name in table:
            target[name] = table[name]
    if _LABELS in description:  # the classes of the dataset replace those of the recipe
        content[_LABELS] = description[_LABELS]
        target.get("recipe", {}).pop(_LABELS, None)


def _drop_replaced_data(base: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Drop what describes the sources of the base if a recipe has sources of its own: splits of other datasets."""
    old, new = base.get("data"), changes.get("data")
    if not isinstance(old, dict) or not isinstance(new, Mapping) or "sources" not in new:
        return
    old.pop("without_sources", None)
    datasets = [each.get("dataset") for each in new["sources"] if isinstance(each, Mapping)]
    for name in set(old.get("splits", {})) - set(datasets):
        del old["splits"][name]


def _merge(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merge(old, value)
        base[key] = value
    return base


def _read(recipe: str | Path) -> dict[str, Any]:
    try:
        return with_current_keys(read_toml(recipe, _RECIPES, "recipe"))
    except ValueError as error:
        raise ConfigError(
            f"the recipe {Path(recipe).name}: {error}. Remove the old name."
        ) from None


def _apply_override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *tables, name = key.strip().split(".")
    if not equals or not name:
        raise ConfigError(
            f"the setting '{override}' has no value; expected KEY=VALUE, such as training.lr=1e-4. Correct it."
        )
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise ConfigError(
                f"the setting '{key}' is below '{table}', which is a single value; expected a table. "
                "Check the names in the recipe."
            )
    name = current_key(tables, name)
    try:
        content[name] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        content[name] = text
