"""Options of the commands that write the results of a mask."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

FailOn = Annotated[
    Literal["red", "yellow"] | None,
    typer.Option(
        "--fail-on",
        metavar="red|yellow",
        rich_help_panel="Output",
        help="Exit with code 8 if the quality of a mask is red, or yellow or red; all results are written.",
    ),
]
