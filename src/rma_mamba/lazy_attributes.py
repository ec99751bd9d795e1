"""Attributes of a package that are imported on first use.

if not TYPE_CHECKING:
    __getattr__ = lazy_attributes(__name__, {"segment_case": "case"})
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from rma_mamba.extras import import_for


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package.

    Args:
        package: Name of the package.
        modules: The module below the package that defines each name.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_for(f"{package}.{modules[name]}", name), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
