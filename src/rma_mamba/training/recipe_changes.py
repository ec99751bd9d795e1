"""Differences between the recipe of a training run and the one that it is resumed with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError
from rma_mamba.training.config import Recipe
from rma_mamba.training.run_files import recorded_recipe

# What may change while a run is interrupted: where it runs, how long, and how a step is divided into batches. The
# checkpoint rejects another number of slices per step, and the data manifest rejects other files.
_MAY_CHANGE = (
    "run.folder",
    "training.epochs",
    "training.patience",
    "training.batch_size",
    "training.accumulate",
    "training.checkpoint_activations",
    "training.precision",
    "training.workers",
    "training.accelerator",
    "training.devices",
    "training.nodes",
    "training.loggers*",
    "training.limit_batches",
    "data.root",
    "data.cache",
)
_MISSING = object()  # a setting that one of the recipes does not have
_LISTED = 4  # settings in an error message
_LONGEST = 60  # characters of a value in an error message

Changes = dict[str, tuple[Any, Any]]  # setting to its value before and now


def check_resumed_recipe(folder: Path, recipe: Recipe) -> Changes:
    """Compare a recipe with that of the run in a folder.

    Args:
        folder: Run folder with a checkpoint.
        recipe: The recipe to continue with.

    Returns:
        The settings that have changed and may change, such as training.epochs; empty if the folder has no record of its
        recipe.

    Raises:
        ConfigError: Another setting has changed, or the record is damaged.
    """
    before = recorded_recipe(folder)
    if before is None:
        return {}
    changes = recipe_changes(*(each.model_dump(mode="json") for each in (before, recipe)))
    rejected = {name: values for name, values in changes.items() if not _may_change(name)}
    if rejected:
        raise ConfigError(
            f"the recipe differs from that of the training run in {folder.name}: {describe_changes(rejected)}; "
            "expected the same recipe with --resume. Undo the change, or start "
            "a new run from these weights: without --resume, with --set run.folder=NEW_FOLDER and --set "
            "model.weights=RUN_FOLDER/checkpoints/last.ckpt."
        )
    return changes


def recipe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    """The settings that differ between two recipes, each as `Recipe.model_dump(mode="json")`."""
    one, other = dict(_flat(before)), dict(_flat(now))
    return {
        name: (one.get(name, _MISSING), other.get(name, _MISSING))
        for name in dict.fromkeys([*one, *other])
        if one.get(name, _MISSING) != other.get(name, _MISSING)
    }


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted names; entries of a list of tables by their `name`."""
    if isinstance(value, Sequence) and not isinstance(value, str) and _has_names(value):
        value = {each["name"]: each for each in value}
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _flat(each, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix, value


def _has_names(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(each, Mapping) and "name" in each for each in values)


def _may_change(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _MAY_CHANGE)


def describe_change(name: str, before: Any, now: Any) -> str:
    """A changed setting with both values, for an error message."""
    return f"{name} was {_text(before)} and is now {_text(now)}"


def describe_changes(changes: Changes) -> str:
    """The first changed settings with both values, and how many more there are, for an error message."""
    listed = [describe_change(name, *values) for name, values in changes.items()][:_LISTED]
    more = len(changes) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


def _text(value: Any) -> str:
    if value is _MISSING:
        return "not set"
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
