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


def with_old_keys(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data settings of a recipe under their old keys.

    Args:
        data: `DataConfig.model_dump(mode="json")`.
    """
    return {
        **data,
        "recipe": _renamed(data["recipe"], _SLICES),
        "sources": [_old_source(source) for source in data["sources"]],
        "splits": {name: _renamed(split, _SPLIT) for name, split in data["splits"].items()},
    }


def _old_source(source: Mapping[str, Any]) -> dict[str, Any]:
    split = source["split"]
    return _renamed({**source, "split": _SPLIT.get(split, split)}, _SOURCE)


def _renamed(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in table.items()}
