"""Parse the size of images."""

from __future__ import annotations

from rma_mamba.errors import ConfigError


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`256x192`, height and width, or `256` for both.

    Raises:
        ConfigError: The text is neither.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if not (1 <= len(parts) <= 2 and all(part.isdecimal() for part in parts)):
        raise ConfigError(
            f"the size is '{text}'; expected height and width in pixels. Write --size 256x256, for example."
        )
    return int(parts[0]), int(parts[-1])
