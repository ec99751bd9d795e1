"""Rename the old keys of recipes before recipes are merged. Remove this module in 0.3.0.

The settings models accept old keys as well, but a recipe that sets an old key over a base that sets the new one would
have both after merging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from rma_mamba.datasets.splits import RENAMED_SPLIT_KEYS
from rma_mamba.deprecation import with_renamed_keys
from rma_mamba.slicing.recipe import RENAMED_FIELDS

# Table of a recipe (with * for any name), and its old keys with their current names.
_RENAMED = {
    "data.splits.*": RENAMED_SPLIT_KEYS,
    "data.recipe": RENAMED_FIELDS,
}


def with_current_keys(content: Mapping[str, Any], table: Sequence[str] = ()) -> dict[str, Any]:
    """The content of a recipe with its old keys renamed, each with a DeprecationWarning.

    Args:
        content: A table of the recipe with all tables below it.
        table: Where the table is: () is the recipe itself.

    Raises:
        ValueError: A table contains an old key and its current name.
    """
    renamed = dict(with_renamed_keys(content, _renamed_in(table)))
    return {
        key: with_current_keys(value, (*table, key)) if isinstance(value, Mapping) else value
        for key, value in renamed.items()
    }


def current_key(table: Sequence[str], key: str) -> str:
    """The current name of a key, with a DeprecationWarning if it is old."""
    (current,) = with_renamed_keys({key: None}, _renamed_in(table))
    return str(current)


def _renamed_in(table: Sequence[str]) -> dict[str, str]:
    path = ".".join(table)
    return next(
        (keys for pattern, keys in _RENAMED.items() if fnmatchcase(path, pattern)),
        {},
    )
