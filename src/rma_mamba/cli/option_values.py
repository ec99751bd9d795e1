"""Parse the values of options."""

from __future__ import annotations

from typing import Literal

from rma_mamba.errors import ConfigError
from rma_mamba.volume import Modality

_MODALITIES: dict[str, Modality] = {"CT": "CT", "MR": "MR"}


def parse_volume(text: str | None) -> int | Literal["all"] | None:
    """The number of a volume, or "all". The reader checks the range.

    Raises:
        ConfigError: The text is neither.
    """
    if text is None:
        return None
    if text.lower() == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            "the volume is not a number; expected the number of a volume (1-based), or all. "
            "Write --volume 2, for example."
        ) from None


def parse_modality(text: str | None) -> Modality | None:
    """CT or MR, in upper or lower case.

    Raises:
        ConfigError: The text is neither.
    """
    if text is not None and text.upper() not in _MODALITIES:
        raise ConfigError(
            f"the modality is '{text}'; expected CT or MR. Write --modality CT, for example."
        )
    return _MODALITIES.get((text or "").upper())


def parse_spacing(text: str | None) -> tuple[float, ...] | None:
    """`0.8`, `0.8,0.8,5` or `0.8x0.8x5` as numbers. The reader checks their count and range.

    Raises:
        ConfigError: The text is not a list of numbers.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise ConfigError(
            "the spacing is not a list of numbers; expected one number, or three separated by commas. "
            "Write --spacing-mm 0.8,0.8,5, for example."
        ) from None
