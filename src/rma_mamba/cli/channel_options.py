"""The option `--channel`: scans of one patient by the name of their channel."""

from __future__ import annotations

from rma_mamba.errors import ConfigError


def parse_channels(channels: list[str] | None, *, stated: bool = False) -> dict[str, str]:
    """Channels of `--channel NAME=VALUE`, by name; without a value, it is the name itself.

    Args:
        channels: Values of the option.
        stated: Whether values are required.

    Raises:
        ConfigError: A name or a required value is missing, or a name occurs twice.
    """
    found: dict[str, str] = {}
    for each in channels or []:
        name, equals, value = (part.strip() for part in each.partition("="))
        if not name or (equals and not value) or (stated and not value) or name in found:
            twice = "the same name as another one" if name in found else "no name or no value"
            raise ConfigError(
                f"--channel '{each}' has {twice}; expected a name and a value for each channel, such as "
                "T1=PATH. Correct it."
            )
        found[name] = value or name
    return found
