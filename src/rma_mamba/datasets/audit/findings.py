"""Errors and warnings about a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]
Kind = Literal[
    "files", "leakage", "duplicate image", "duplicate label", "shifted label", "unreadable", "missing label", "grid",
    "label values", "empty label", "plausibility", "image values", "implausible label",
    "misplaced label", "orientation", "split",
]  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """An error or a warning.

    Args:
        kind: Category.
        level: error: results on these data would be invalid; warning: check these cases.
        text: What was found and what was expected.
        cases: Names of the cases concerned; empty: the whole dataset.
    """

    kind: Kind
    level: Level
    text: str
    cases: tuple[str, ...] = ()
