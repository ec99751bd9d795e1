"""Deprecated options: accepted until the next release, with one line of warning each."""

from __future__ import annotations

from typing import TypeVar

from rma_mamba.deprecation import warn_renamed
from rma_mamba.errors import ConfigError

T = TypeVar("T")


def renamed_option(old: str, old_value: T | None, new: str, new_value: T | None) -> T | None:
    """The value of an option, or that of its deprecated name if it was used.

    Raises:
        ConfigError: Both names were used.
    """
    if old_value is None:
        return new_value
    if new_value is not None:
        raise ConfigError(
            f"both {new} and its old name {old} are set; expected only {new}. Remove {old}."
        )
    warn_renamed(old, new)
    return old_value
