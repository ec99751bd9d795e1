"""The option `--class`: names of classes, with or without label values."""

from __future__ import annotations

from typing import Annotated

import typer

from rma_mamba.errors import ConfigError

Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="NAME[=VALUES]",
        help="Further class by name, with its label values, such as tumour=2; repeatable.",
    ),
]


def parse_classes(classes: list[str] | None, *, stated: bool = False) -> dict[str, tuple[int, ...]]:
    """Classes of `--class NAME` or `--class NAME=VALUES`, by name.

    Args:
        classes: Values of the option.
        stated: Whether values are required.

    Raises:
        ConfigError: The values are not numbers, or missing.
    """
    found: dict[str, tuple[int, ...]] = {}
    for each in classes or []:
        name, _, values = each.partition("=")
        try:
            found[name.strip()] = tuple(int(value) for value in values.split(",") if value.strip())
            valid = bool(name.strip()) and (bool(found[name.strip()]) or not stated)
        except ValueError:
            valid = False
        if not valid:
            raise ConfigError(
                f"--class is '{each}'; expected a name{'' if stated else ', or a name'} and label values, such as "
                "tumour=2. Correct it."
            )
    return found


def liver_of_classes(classes: dict[str, tuple[int, ...]]) -> str | None:
    """Label values of the liver if the values of classes are stated: those of that name, else all; else None."""
    stated = classes.get("liver") or tuple(sorted({v for each in classes.values() for v in each}))
    return ",".join(map(str, stated)) or None
