"""TOML files that are bundled with the package, or written by users."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError


def bundled_names(folder: str) -> list[str]:
    """Names of the TOML files in a folder of this package, such as "training/recipes"."""
    return sorted(
        each.name.removesuffix(".toml")
        for each in (files("rma_mamba") / folder).iterdir()
        if each.name.endswith(".toml")
    )


def read_toml(source: str | Path, folder: str, kind: str) -> dict[str, Any]:
    """Read a TOML file, or a bundled one by its name.

    Args:
        source: A path, or the name of a bundled file. An existing file takes precedence over a bundled name.
        folder: Folder of the bundled files.
        kind: What the file is, for error messages: "recipe", "benchmark".

    Raises:
        ConfigError: The file does not exist or is not valid TOML.
    """
    path = Path(source)
    try:
        if path.suffix != ".toml" and not path.is_file() and str(source) in bundled_names(folder):
            text = (files("rma_mamba") / folder / f"{source}.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"the {kind} {path.name} cannot be read; expected a TOML file or one of "
            f"{', '.join(bundled_names(folder))}. Check the path."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"the {kind} {path.name} is not valid TOML ({error}); expected tables of KEY = VALUE. "
            "Correct the file."
        ) from None
