"""What is wrong with a dataset, or may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        kind: Short name of what was found; one of a few.
        level: error: a result on these data would be wrong; warning: look at it.
        text: What was found and what was expected.
        cases: Names of the entries that it concerns.
    """

    kind: str
    level: Level
    text: str
    cases: tuple[str, ...] = ()
