"""Options of the commands that train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TrainedRecipe = Annotated[
    Path,
    typer.Argument(
        metavar="RECIPE",
        help="TOML file, or name of a bundled recipe: default, whole-scan, whole-scan-unet-3d, fine-tune, chaos-mini, "
        "btcv-mini, paper-t, paper-s, paper-lits, ablation-1 to ablation-6.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue from the last checkpoint of this run.")
]
DataChecked = Annotated[bool, typer.Option("--data-checked", hidden=True)]  # folds side by side
