"""`rma-mamba data prepare`: from a dataset to a folder that trainings read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.data.options import (
    Liver,
    Name,
    Patient,
    Quiet,
    Root,
    Sequences,
    opened,
)
from rma_mamba.cli.options import Verbose


def prepare(
    name: Name,
    root: Root,
    out: Annotated[Path, typer.Argument(help="The new folder, or one to go on with.")],
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Leave out the cases with an error, and list them.")
    ] = False,
    png: Annotated[bool, typer.Option("--png", help="Write the slices as pictures, too.")] = False,
    window_hu: Annotated[
        tuple[float, float], typer.Option(help="Hounsfield units that are black and white.")
    ] = (-160.0, 240.0),
    folds: Annotated[
        int, typer.Option(min=2, help="Of the split, where the dataset publishes none.")
    ] = 5,
    sequences: Sequences = None,
    liver: Liver = None,
    patient: Patient = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check a dataset, write it as one folder for trainings, and say which recipe reads it."""
    from rma_mamba.datasets.audit import audit
    from rma_mamba.datasets.prepare import RECIPE_TABLE, PreparationOptions
    from rma_mamba.datasets.prepare import prepare as write

    console, choices = Console(quiet, verbose), PreparationOptions(lenient, png, window_hu, folds)
    dataset = opened(name, root, sequences, liver, patient)
    with console.progress("Checking") as progress:
        report = audit(dataset, progress)
    with console.progress("Writing") as progress:
        manifest = write(report, out, choices, progress)
    console.warn(f"left out: {case}: {why}" for case, why in manifest.left_out.items())
    slices = sum(case.slices for case in manifest.cases)
    liver_slices = sum(case.slices_with_liver for case in manifest.cases)
    console.note(f"{len(manifest.cases)} cases, {slices} slices, {liver_slices} of them with liver")
    typer.echo(str(out / RECIPE_TABLE))
