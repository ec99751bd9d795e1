"""Validation errors of pydantic as one line: what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from rma_mamba.errors import ConfigError

if TYPE_CHECKING:
    import pydantic
    from pydantic_core import ErrorDetails

_LONGEST_VALUE = 80  # characters; longer values are not quoted in errors

# What is expected, by the type of pydantic's error; filled in with the limits that the error contains.
_EXPECTED = {
    "literal_error": "{expected}",
    "greater_than": "a value greater than {gt}",
    "greater_than_equal": "a value greater than or equal to {ge}",
    "less_than": "a value less than {lt}",
    "less_than_equal": "a value less than or equal to {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "finite_number": "a finite number",
    "too_short": "at least {min_length} values",
    "too_long": "at most {max_length} values",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def as_config_error(
    error: pydantic.ValidationError, model: type[pydantic.BaseModel], owner: str
) -> ConfigError:
    """Convert the first validation error of pydantic to an error of this package.

    Args:
        error: Raised by the validation of settings.
        model: The class that was validated.
        owner: What the settings belong to, for the message: "the recipe".
    """
    errors = error.errors(include_url=False)
    first = errors[0]
    path = _setting_path(first["loc"])
    setting = ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        return _unknown_setting(path, _model_at(model, path[:-1]), owner)
    if first["type"] == "missing":
        return ConfigError(f"{owner} has no '{setting}'; expected one. Add it.")
    if first["type"] == "value_error":
        place = f"'{setting}' of {owner}" if setting else owner
        text = first["msg"].removeprefix("Value error, ").rstrip(".")
        return ConfigError(f"{place} is invalid: {text}. Correct it.")
    # a setting that accepts several types has an error for each of them
    choices = [_expected(each) for each in errors if _setting_path(each["loc"]) == path]
    expected = " or ".join(dict.fromkeys(choices))
    place = f"'{setting}' of {owner} is" if setting else f"{owner} is"
    return ConfigError(f"{place} {_quoted(first['input'])}; expected {expected}. Correct it.")


def _setting_path(location: Sequence[int | str]) -> list[int | str]:
    """The path of a setting, without the names of types that pydantic adds for a setting of several types."""
    path = list(location)
    while len(path) > 1 and _is_type_name(path[-1]):
        path.pop()
    return path


def _is_type_name(part: int | str) -> bool:
    return isinstance(part, str) and ("[" in part or part in {"int", "float", "str", "bool"})


def _expected(error: ErrorDetails) -> str:
    template = _EXPECTED.get(error["type"])
    if template is None:
        text = error["msg"].removeprefix("Input should be ")
        return text[:1].lower() + text[1:]
    limits = error.get("ctx", {})
    text = template.format(
        **{key: f"{each:g}" if isinstance(each, float) else each for key, each in limits.items()}
    )
    return text.removesuffix("s") if text.startswith(("at least 1 ", "at most 1 ")) else text


def _quoted(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) < _LONGEST_VALUE else "invalid"


def _unknown_setting(
    path: list[int | str], model: type[pydantic.BaseModel], owner: str
) -> ConfigError:
    known = list(model.model_fields)
    similar = difflib.get_close_matches(str(path[-1]), known, n=1)
    hint = f"Did you mean '{similar[0]}'?" if similar else "Remove it."
    return ConfigError(
        f"{owner} has an unknown setting '{'.'.join(map(str, path))}'; expected one of {', '.join(known)}. {hint}"
    )


def _model_at(model: type[pydantic.BaseModel], path: list[int | str]) -> type[pydantic.BaseModel]:
    """The settings class at a path inside a model."""
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            candidates = [annotation, *get_args(annotation)]
            model = next((each for each in candidates if hasattr(each, "model_fields")), model)
    return model
