"""Deprecated names that still work; they are removed in 0.3.0, together with this module.

warn_renamed("segment(frame=...)", "volume")               # a keyword, a function, an option
data = with_renamed_keys(data, {"side": "split"})          # in a pydantic "before" validator
record = with_old_fields(record, {"split": "side"})        # an output record

@with_renamed_arguments(side="split")                      # keyword arguments of a function
def score(*, split): ...

__getattr__ = renamed_attributes(__name__, {"Body": "PatientSize"})  # names in a module

Warnings point to the first line outside this package and pydantic: Python shows them by default only if that line is
in the user's own script.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from operator import attrgetter
from types import FrameType
from typing import Any, TypeVar

REMOVED_IN = "0.3.0"

# Code between a deprecated name and the line of the user that contains it.
_SKIPPED_PACKAGES = {"rma_mamba", "pydantic", "importlib"}

Function = TypeVar("Function", bound=Callable[..., Any])

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def warn_renamed(old: str, new: str) -> None:
    """Emit a DeprecationWarning that names the replacement of a deprecated name.

    Args:
        old: The old name as the user wrote it.
        new: The name to use instead.
    """
    if _quiet.get():
        return
    frame = _users_frame()
    warnings.warn_explicit(
        f"{old} is deprecated and will be removed in {REMOVED_IN}; use {new}.",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _users_frame() -> FrameType:
    """The innermost frame outside this package and pydantic, else the outermost one."""
    frame = sys._getframe()
    while frame.f_back is not None and _is_skipped(frame):
        frame = frame.f_back
    return frame


def _is_skipped(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.split(".")[0] in _SKIPPED_PACKAGES


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


def renamed_attributes(module: str, renamed: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module that gives access to its attributes under their old names, with a warning.

    Args:
        module: `__name__` of the module.
        renamed: Old name to new name; dotted if the attribute is in a submodule.
    """

    def get_renamed(name: str) -> Any:
        if name not in renamed:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn_renamed(f"{module}.{name}", f"{module}.{renamed[name]}")
        return attrgetter(renamed[name])(sys.modules[module])

    return get_renamed


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
        warn_renamed(f"'{old}'", f"'{new}'")
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
