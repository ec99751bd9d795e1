"""Deprecated options and settings: accepted until the next release, with one line of warning each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from rma_mamba.cli.console import Console
from rma_mamba.deprecation import REMOVED_IN, warn_renamed
from rma_mamba.errors import ConfigError, EnvironmentWarning

T = TypeVar("T")

_MESSAGE = rf".* is deprecated and will be removed in {REMOVED_IN}"


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


@contextmanager
def print_deprecation_warnings() -> Iterator[None]:
    """Print each DeprecationWarning and EnvironmentWarning of this package once, as a one-line warning."""
    printed: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("always", _MESSAGE, DeprecationWarning)
        warnings.filterwarnings("always", category=EnvironmentWarning)
        show_others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            text = str(message)
            if not (
                issubclass(category, EnvironmentWarning)
                or f"will be removed in {REMOVED_IN}" in text
            ):
                show_others(message, category, filename, lineno, file, line)
            elif text not in printed:
                printed.add(text)
                Console().warn([text])

        warnings.showwarning = show
        yield
