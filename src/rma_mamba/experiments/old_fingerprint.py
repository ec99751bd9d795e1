"""Recipes with the keys of rma-mamba 0.1, so that benchmarks started with it can be resumed. Remove in 0.3.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rma_mamba.datasets.config import RENAMED_SOURCE_KEYS
from rma_mamba.datasets.splits import RENAMED_SPLIT_KEYS
from rma_mamba.slicing.recipe import RENAMED_FIELDS

# Current name to old name.
_SOURCE = {new: old for old, new in RENAMED_SOURCE_KEYS.items()}
_SPLIT = {new: old for old, new in RENAMED_SPLIT_KEYS.items()}
_SLICES = {new: old for old, new in RENAMED_FIELDS.items()}

# Settings that did not exist; they are left out where they have their default values.
_NEW_IN_TRAINING = {"freeze_norms": False, "sync_norms": False}
_NEW_IN_DATA: dict[str, Any] = {
    "stack_depths": [],
    "without_sources": [],
    "foreground_share": None,
    "foreground_window": False,
    "validation": True,
    "augment_on": "workers",
}
_NEW_IN_SOURCES: dict[str, Any] = {
    "window_hu": None,
    "classes": {},
    "intensity": None,
    "channels": {},
    "resample": False,
}
_NEW_IN_SLICES = {"mr_headroom": 0, "modality_plane": False, "through_plane_mm": None}
_NEW_IN_PHANTOMS = {"liver_shapes": None}
_NEW_IN_AUGMENT = dict.fromkeys(
    ("contrast_phase", "effusion", "ascites", "metal", "slice_jumps", "channel_dropout"), 0
)


def with_old_keys(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data settings of a recipe under their old keys.

    Args:
        data: `DataConfig.model_dump(mode="json")`.
    """
    return {
        **_without(data, _NEW_IN_DATA),
        "recipe": _renamed(_without(_without_grey_levels(data["recipe"]), _NEW_IN_SLICES), _SLICES),
        "augment": _without(data["augment"], _NEW_IN_AUGMENT),
        "sources": [_old_source(source) for source in data["sources"]],
        "phantoms": _without(data["phantoms"], _NEW_IN_PHANTOMS),
        "splits": {name: _renamed(split, _SPLIT) for name, split in data["splits"].items()},
    }


def recipe_with_old_keys(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as rma-mamba 0.1 had it.

    Args:
        recipe: `Recipe.model_dump(mode="json")`.
    """
    training = _without(recipe["training"], _NEW_IN_TRAINING)
    recipe = _without(recipe, {"pretraining": None})
    return {**recipe, "training": training, "data": with_old_keys(recipe["data"])}


def _without_grey_levels(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The slice recipe without a setting that follows from the sources."""
    return {key: value for key, value in recipe.items() if key != "grey_levels"}


def _old_source(source: Mapping[str, Any]) -> dict[str, Any]:
    split = source["split"]
    source = _without(source, _NEW_IN_SOURCES)
    return _renamed({**source, "split": _SPLIT.get(split, split)}, _SOURCE)


def _renamed(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in table.items()}


def _without(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that have these default values."""
    return {
        key: value for key, value in table.items() if key not in defaults or value != defaults[key]
    }
