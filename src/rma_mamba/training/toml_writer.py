"""Writer for TOML; Python's standard library has a reader only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(content: Mapping[str, Any]) -> str:
    """Format a table as TOML: one line per value, nested tables as dotted keys.

    Args:
        content: A table as returned by `tomllib`: tables, lists, strings, numbers, booleans and dates.
    """
    return "".join(f"{key} = {_value(each)}\n" for key, each in _flat(content, ""))


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        key = prefix + _key(name)
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {_value(x)}" for name, x in value.items()) + "}"
    if isinstance(value, list):
        tables = any(isinstance(each, dict) for each in value)
        separator, end = (",\n    ", "\n") if tables else (", ", "")
        return f"[{end and separator[1:]}{separator.join(map(_value, value))}{end}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else str(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
