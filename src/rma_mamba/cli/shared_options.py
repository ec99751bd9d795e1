"""Options that several commands share: output, verbosity, recipes and their data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a setting of the recipe, such as training.lr=1e-4; repeatable.",
    ),
]
PreparedData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="recipe_data.toml of a prepared dataset; replaces the data of the recipe.",
    ),
]
ScoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Write CSV and JSON tables to this folder."
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the traceback of an error, and details.")
]
