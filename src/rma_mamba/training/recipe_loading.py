"""The recipe of a training: one TOML file, checked before anything is read or trained."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pydantic
from pydantic import BaseModel

from rma_mamba.errors import ConfigError
from rma_mamba.training.bundled_toml import read_toml, shipped
from rma_mamba.training.config import Recipe

_RECIPES = "training/recipes"
_BASE = "base"
_WHERE = ("root", "sources", "splits")  # of data: which scans, and who is on which side


def bundled_recipes() -> list[str]:
    """Names of the recipes inside the package."""
    return shipped(_RECIPES)


def load_recipe(
    recipe: str | Path, overrides: Sequence[str] = (), data: str | Path | None = None
) -> Recipe:
    """Read a recipe and apply `KEY=VALUE` overrides; arguments and errors as of `merged_recipe`.

    Raises:
        ConfigError: A key or value is wrong.
    """
    return checked(merged_recipe(recipe, overrides, data))


def merged_recipe(
    recipe: str | Path, overrides: Sequence[str] = (), data: str | Path | None = None
) -> dict[str, Any]:
    """The content of a recipe on top of its base, with overrides, as TOML can hold it; not yet checked.

    Args:
        recipe: A TOML file, or the name of a shipped recipe. Its key `base` names another recipe (a file:
            relative to this one's folder) that it changes: tables are merged, other values replaced.
        overrides: As "training.lr=1e-4"; a value is TOML, or else a plain string.
        data: A TOML file whose `data.root`, `data.sources` and `data.splits` take the place of the recipe's:
            what `rma-mamba data prepare` leaves.

    Raises:
        ConfigError: There is no such recipe, it is no TOML, or its bases run in a circle.
    """
    content = _with_base(recipe, ())
    if data is not None:
        _take_data(content, data)
    for override in overrides:
        _apply(content, override)
    return content


def checked(content: Mapping[str, Any]) -> Recipe:
    """The recipe of this content.

    Raises:
        ConfigError: A key or value is wrong.
    """
    try:
        return Recipe.model_validate(content)
    except pydantic.ValidationError as error:
        raise _explained(error) from None


def _with_base(recipe: str | Path, above: tuple[str, ...]) -> dict[str, Any]:
    content = _read(recipe)
    base = content.pop(_BASE, None)
    if base is None:
        return content
    itself = str(Path(recipe).resolve())
    if not isinstance(base, str) or itself in above:
        raise ConfigError(
            f"the base of the recipe {Path(recipe).name} is {json.dumps(base, default=str)}; expected the name "
            "of a recipe that is not based on it. Change it."
        )
    if base not in bundled_recipes():
        base = str(Path(recipe).parent / base)
    return _merged(_with_base(base, (*above, itself)), content)


def _take_data(content: dict[str, Any], data: str | Path) -> None:
    """Let the data of another file take the place of a recipe's; what is done with it stays the recipe's."""
    table = _read(data).get("data")
    if not isinstance(table, dict) or "sources" not in table:
        raise ConfigError(
            f"the file {Path(data).name} has no data.sources; expected those of a prepared dataset. "
            "Make it with rma-mamba data prepare."
        )
    kept = content.setdefault("data", {})
    for name in _WHERE:
        kept.pop(name, None)
        if name in table:
            kept[name] = table[name]


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)
        below[key] = value
    return below


def _read(recipe: str | Path) -> dict[str, Any]:
    return read_toml(recipe, _RECIPES, "recipe")


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *tables, name = key.strip().split(".")
    if not equals or not name:
        raise ConfigError(
            f"the setting '{override}' has no value; expected KEY=VALUE. Write it as training.lr=1e-4."
        )
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise ConfigError(
                f"the setting '{key}' goes into '{table}', which is a value; expected a table. "
                "Look at the recipe."
            )
    try:
        content[name] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        content[name] = text


def _explained(error: pydantic.ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = list(first["loc"])
    setting = ".".join(str(part) for part in where)
    if first["type"] == "extra_forbidden":
        known = list(_model_at(where[:-1]).model_fields)
        near = difflib.get_close_matches(str(where[-1]), known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Remove it."
        return ConfigError(
            f"the recipe has an unknown setting '{setting}'; expected one of {', '.join(known)}. {hint}"
        )
    value = json.dumps(first["input"], default=str)
    found = (
        f"is {value}" if len(value) < 80 and first["type"] != "missing" else "is wrong or missing"
    )
    return ConfigError(
        f"the recipe's setting '{setting}' {found}; expected: {first['msg']}. Change it."
    )


def _model_at(where: list[int | str]) -> type[BaseModel]:
    """The settings class at a place of the recipe."""
    model: type[BaseModel] = Recipe
    for part in where:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = [annotation, *get_args(annotation)]
            model = next(
                (each for each in inner if isinstance(each, type) and issubclass(each, BaseModel)),
                model,
            )
    return model
