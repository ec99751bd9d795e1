"""Parse the seeds of several training runs."""

from __future__ import annotations

from rma_mamba.errors import ConfigError


def parse_seeds(text: str | None) -> list[int] | None:
    """`1,2,3` or `1 2 3` as numbers. Whoever uses them checks that they differ.

    Raises:
        ConfigError: The text is not a list of whole numbers from 0.
    """
    if text is None:
        return None
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigError(
            f"the seeds are '{text}'; expected whole numbers from 0, separated by commas. Write --seeds 1,2,3, "
            "for example."
        )
    return [int(part) for part in parts]
