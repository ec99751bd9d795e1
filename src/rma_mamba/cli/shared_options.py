"""Options that several commands share: output, verbosity, recipes and their data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
Postprocessing = Annotated[
    Literal["standard", "none"],
    typer.Option(
        metavar="standard|none",
        help="Post-processing of masks; paper_per_slice always scores the raw threshold.",
    ),
]
ScoredSplit = Annotated[
    Literal["val", "test"] | None,
    typer.Option(metavar="val|test", help="Split whose patients are scored.  [default: test]"),
]
Neighbours = Annotated[
    bool | None,
    typer.Option(help="Include adjacent slices in the input.  [default: as in training]"),
]
OnlyNetworks = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Train only this network; repeatable."),
]
Lenient = Annotated[
    bool, typer.Option("--lenient", help="Use the data in spite of errors, which are listed.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the traceback of an error, and details.")
]
