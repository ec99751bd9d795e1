"""Validation errors of a recipe, as one line that names the setting."""

from __future__ import annotations

import difflib
import json
from typing import get_args

import pydantic
from pydantic import BaseModel

from rma_mamba.errors import ConfigError

_LONGEST_VALUE = 80  # characters; longer values are not quoted in errors


def as_config_error(error: pydantic.ValidationError, model: type[BaseModel]) -> ConfigError:
    """Convert the first validation error of pydantic to an error of this package.

    Args:
        error: Raised by the validation of a recipe.
        model: The class that was validated.
    """
    first = error.errors()[0]
    path = list(first["loc"])
    setting = ".".join(str(part) for part in path)
    if first["type"] == "extra_forbidden":
        known = list(_model_at(model, path[:-1]).model_fields)
        similar = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"Did you mean '{similar[0]}'?" if similar else "Remove it."
        return ConfigError(
            f"the recipe has an unknown setting '{setting}'; expected one of {', '.join(known)}. {hint}"
        )
    value = json.dumps(first["input"], default=str)
    quoted = len(value) < _LONGEST_VALUE and first["type"] != "missing"
    found = f"is {value}" if quoted else "is invalid or missing"
    return ConfigError(
        f"the recipe's setting '{setting}' {found}; expected: {first['msg']}. Correct it."
    )


def _model_at(model: type[BaseModel], path: list[int | str]) -> type[BaseModel]:
    """The settings class at a path inside a model."""
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            candidates = [annotation, *get_args(annotation)]
            model = next(
                (
                    each
                    for each in candidates
                    if isinstance(each, type) and issubclass(each, BaseModel)
                ),
                model,
            )
    return model
