"""Arguments and options of `rma-mamba data prepare` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[
    Path, typer.Argument(metavar="OUTPUT", help="Output folder; an unfinished one is continued.")
]
WindowHu = Annotated[
    tuple[float, float],
    typer.Option(metavar="LOW HIGH", help="CT window: HU values mapped to black and to white."),
]
Folds = Annotated[
    int,
    typer.Option(
        min=2, metavar="N", help="Number of folds, if the dataset has no published split."
    ),
]
