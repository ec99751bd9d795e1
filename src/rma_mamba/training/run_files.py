"""Names of the files in a run folder that describe the run, and reading them. No torch, no Lightning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic

from rma_mamba.deprecation import suppress_rename_warnings
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import Recipe
from rma_mamba.training.recipe_loading import load_recipe

RECIPE_TOML = "recipe.toml"  # as read, with its base and overrides
RECIPE_JSON = "recipe.json"  # the same with all defaults
MANIFEST = "data_manifest.json"
CODE = "versions.json"
INITIAL = "initial_weights.json"
RESUMES = "resumes.json"


def read_json(path: Path, default: Any) -> Any:
    """The content of a JSON file; the default if it does not exist or is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default


def recorded_recipe(folder: Path) -> Recipe | None:
    """The recipe of the training run in a folder, with all defaults; None if there is no record of it.

    Raises:
        ConfigError: The record is damaged, or has settings that do not exist in this version.
    """
    path = folder / RECIPE_JSON
    try:
        with suppress_rename_warnings():
            return Recipe.model_validate_json(path.read_bytes())
    except pydantic.ValidationError:
        raise ConfigError(
            f"{path.name} in the folder {folder.name} is damaged or of another version; expected the recipe of the "
            "training run. Restore it from a backup, or continue with the version that started the run."
        ) from None
    except OSError:
        return None


def run_recipe(folder: Path) -> Recipe:
    """The recipe of the training run in a folder.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    return recorded_recipe(folder) or load_recipe(folder / RECIPE_TOML)
