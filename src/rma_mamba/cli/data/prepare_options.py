"""Arguments and options of `rma-mamba data prepare` alone, and its result in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rma_mamba.cli.console import Console

if TYPE_CHECKING:
    from rma_mamba.datasets.prepare import Manifest

Output = Annotated[
    Path, typer.Argument(metavar="OUTPUT", help="Output folder; an unfinished one is continued.")
]
Lenient = Annotated[
    bool, typer.Option("--lenient", help="Exclude cases with errors, and list them.")
]
Png = Annotated[bool, typer.Option("--png", help="Also write each slice as PNG.")]
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


def show_result(manifest: Manifest, console: Console) -> None:
    """Print the excluded cases and the number of cases and slices."""
    console.warn(f"excluded: {case}: {why}" for case, why in manifest.left_out.items())
    slices = sum(each.slices for each in manifest.cases)
    livers = sum(each.slices_with_liver for each in manifest.cases)
    console.note(f"{len(manifest.cases)} cases, {slices} slices, {livers} of them with liver")
