"""Numbers as they are typed."""

from __future__ import annotations

from rma_mamba.errors import ConfigError


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
