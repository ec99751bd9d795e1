"""The options of `rma-mamba sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

SweepRecipe = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="TOML file, or name of a bundled recipe.")
]
Parameters = Annotated[
    list[str],
    typer.Option(
        "--param",
        metavar="KEY=VALUES",
        help="Setting to vary: KEY=LOW:HIGH, KEY=LOW:HIGH:log, KEY=LOW:HIGH:STEP, or KEY=A,B,C; repeatable.",
    ),
]
Trials = Annotated[
    int,
    typer.Option("--trials", min=1, metavar="N", help="Number of trials, with completed ones."),
]
SweepSeeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="N,N,...",
        help="Train each trial with each of these seeds.  [default: the seed of the recipe]",
    ),
]
SamplerName = Annotated[
    Literal["tpe", "random", "grid"],
    typer.Option(
        metavar="tpe|random|grid",
        help="How values are chosen: from earlier results, at random, or all combinations.",
    ),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="End trials early that are below the median of the others.")
]
SweepFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="Output folder; overrides run.folder."),
]
