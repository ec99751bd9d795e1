"""Options that several commands share."""

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
        "--data", help="recipe_data.toml of a prepared dataset; replaces the data of the recipe."
    ),
]
ScoreFolder = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write CSV and JSON tables to this folder.")
]
Model = Annotated[
    str, typer.Option("--model", "-m", help="Name of a model, or path of a weights file.")
]
Labels = Annotated[
    list[int] | None,
    typer.Option(
        "--label",
        help="Label value that means liver; repeatable.  [default: all values above 0]",
    ),
]
Modality = Annotated[
    Literal["CT", "MR"] | None,
    typer.Option(
        case_sensitive=False,
        help="Modality of the scan.  [default: from the header, else detected from intensities]",
    ),
]
HeightCm = Annotated[
    float | None,
    typer.Option(metavar="CM", help="Height of the patient, for the standard liver volume."),
]
WeightKg = Annotated[
    float | None,
    typer.Option(metavar="KG", help="Weight of the patient, for the standard liver volume."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the traceback of an error, and details.")
]
