"""Options that several commands share, with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PreparedData = Annotated[
    Path | None,
    typer.Option(
        "--data", help="recipe_data.toml of a prepared dataset, instead of the recipe's data."
    ),
]
Tables = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for tables (CSV and JSON).")
]
QuietTables = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but the tables and errors.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show where an error happened.")]
HeightCm = Annotated[
    float | None, typer.Option(help="The patient's, for the standard liver volume.")
]
WeightKg = Annotated[float | None, typer.Option(help="The same.")]
