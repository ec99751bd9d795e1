"""Deprecated names that still work; they are removed in 0.3.0, together with this module.

warn_renamed("segment(frame=...)", "volume")               # a keyword, a function, an option
data = with_renamed_keys(data, {"side": "split"})          # in a pydantic "before" validator
record = with_old_fields(record, {"split": "side"})        # an output record

@with_renamed_arguments(side="split")                      # keyword arguments of a function
def score(*, split): ...
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

REMOVED_IN = "0.3.0"

Function = TypeVar("Function", bound=Callable[..., Any])

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def warn_renamed(old: str, new: str, *, stacklevel: int = 2) -> None:
    """Emit a DeprecationWarning that names the replacement of a deprecated name.

    Args:
        old: The old name as the user wrote it.
        new: The name to use instead.
        stacklevel: As in `warnings.warn`, counted from the function that calls this one: 2 is its caller.
    """
    if not _quiet.get():
        message = f"{old} is deprecated and will be removed in {REMOVED_IN}; use {new}."
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)


@contextmanager
def suppress_rename_warnings() -> Iterator[None]:
    """Accept old names silently: for metadata of weights files, which users cannot edit."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def with_renamed_arguments(**renamed: str) -> Callable[[Function], Function]:
    """Decorate a function or a method so that it also accepts the old names of keyword arguments, with a warning.

    Args:
        renamed: Old name to new name.

    Returns:
        A decorator. What it returns raises TypeError if an old name and its replacement are both passed.
    """

    def decorate(function: Function) -> Function:
        @wraps(function)
        def with_new_names(*args: Any, **kwargs: Any) -> Any:
            for old in renamed.keys() & kwargs.keys():
                new = renamed[old]
                if new in kwargs:
                    raise TypeError(f"both '{new}' and its old name '{old}' are passed")
                warn_renamed(f"'{old}='", f"'{new}='")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return with_new_names  # type: ignore[return-value]

    return decorate


def with_renamed_keys(data: Any, renamed: Mapping[str, str]) -> Any:
    """Rename old keys in the input of a pydantic "before" validator, with a DeprecationWarning for each.

    Input that is not a mapping is returned unchanged, for pydantic to report.

    Args:
        data: Raw input of the model.
        renamed: Old key to new key.

    Raises:
        ValueError: An old key and its replacement are both present; pydantic turns this into a ValidationError.
    """
    if not isinstance(data, Mapping) or not any(old in data for old in renamed):
        return data
    result = dict(data)
    for old, new in renamed.items():
        if old not in result:
            continue
        if new in result:
            raise ValueError(
                f"both '{new}' and its old name '{old}' are set; expected only '{new}'"
            )
        warn_renamed(f"'{old}'", f"'{new}'", stacklevel=3)
        result[new] = result.pop(old)
    return result


def with_old_fields(record: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Repeat renamed fields of an output record under their old names, after all others.

    Args:
        record: Fields under their new names.
        renamed: New name to old name; names that are not in the record are ignored.
    """
    old = {before: record[after] for after, before in renamed.items() if after in record}
    return {**record, **old}
