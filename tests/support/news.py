"""What libraries say of their own code, in tests where warnings are errors."""

from collections.abc import Iterable
from pathlib import Path

import pytest

_CATEGORIES = ("DeprecationWarning", "FutureWarning", "UserWarning")

# Lightning and MONAI say these of their own code and of short epochs.
IGNORED = [pytest.mark.filterwarnings(f"ignore::{category}") for category in _CATEGORIES]


def ignore_below(items: Iterable[pytest.Item], folder: Path) -> None:
    """Pass over such warnings in all tests of a folder."""
    for item in items:
        if folder in item.path.parents:
            for mark in IGNORED:
                item.add_marker(mark)
