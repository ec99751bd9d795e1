"""Python warnings of this package as lines on stderr."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rma_mamba.cli.console import Console
from rma_mamba.deprecation import REMOVED_IN
from rma_mamba.errors import EnvironmentWarning

_REMOVAL = f"will be removed in {REMOVED_IN}"


@contextmanager
def print_own_warnings() -> Iterator[None]:
    """Print each DeprecationWarning and EnvironmentWarning of this package once, as a one-line warning."""
    printed: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("always", f".* is deprecated and {_REMOVAL}", DeprecationWarning)
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
            is_own = issubclass(category, EnvironmentWarning) or _REMOVAL in text
            if not is_own:
                show_others(message, category, filename, lineno, file, line)
            elif text not in printed:
                printed.add(text)
                Console().warn([text])

        warnings.showwarning = show
        yield
