"""Numbers as they are typed."""

from __future__ import annotations

from typing import Literal

from rma_mamba.errors import ConfigError


def parsed_frame(text: str | None) -> int | Literal["all"] | None:
    """The number of a volume, or "all"; the reader judges the number.

    Raises:
        ConfigError: It is something else.
    """
    if text is None:
        return None
    if text.lower() == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            "the frame is no number; expected the number of a volume from 1 on, or all. "
            "Write it as --frame 2."
        ) from None


def parsed_spacing(text: str | None) -> tuple[float, ...] | None:
    """`0.8` or `0.8,0.8,5` as numbers; the reader judges them.

    Raises:
        ConfigError: It is something else.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise ConfigError(
            "the spacing is no list of numbers; expected one number, or three with commas between them. "
            "Write it as 0.8,0.8,5."
        ) from None
