"""TOML files that come with the package, or that a user wrote."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError


def shipped(folder: str) -> list[str]:
    """Names of the TOML files in a folder of this package, as "training/recipes"."""
    return sorted(
        each.name.removesuffix(".toml")
        for each in (files("rma_mamba") / folder).iterdir()
        if each.name.endswith(".toml")
    )


def read_toml(source: str | Path, folder: str, kind: str) -> dict[str, Any]:
    """The content of a TOML file, or of a shipped one by its name.

    Args:
        source: A file, or a name; a file of a shipped name, without an ending, is that file.
        folder: Where the shipped ones lie.
        kind: What it is, as errors call it.

    Raises:
        ConfigError: There is none, or it is no TOML.
    """
    path = Path(source)
    try:
        if path.suffix != ".toml" and not path.is_file() and str(source) in shipped(folder):
            text = (files("rma_mamba") / folder / f"{source}.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"the {kind} {path.name} cannot be read; expected a TOML file or one of "
            f"{', '.join(shipped(folder))}. Check the path."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"the {kind} {path.name} is no TOML ({error}); expected tables of KEY = VALUE. Repair it."
        ) from None
