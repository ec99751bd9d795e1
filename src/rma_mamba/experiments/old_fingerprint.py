"""Recipes with the keys of rma-mamba 0.1, so that benchmarks started with it can be resumed. Remove in 0.3.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SOURCE = {"dataset": "cohort", "split": "side"}
_SPLIT = {"val": "valid"}
_SLICES = {"tta_scales": "magnifications"}


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
