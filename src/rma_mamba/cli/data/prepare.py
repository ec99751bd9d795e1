"""`rma-mamba data prepare`: convert a dataset to a folder that training reads."""

from __future__ import annotations

from functools import partial

import typer

from rma_mamba.cli.class_options import Classes, parse_classes
from rma_mamba.cli.console import Console
from rma_mamba.cli.data import dataset_options as dataset_of
from rma_mamba.cli.data.full_check import Jobs, checked
from rma_mamba.cli.data.opening import open_dataset
from rma_mamba.cli.data.prepare_options import Folds, Lenient, Output, Png, WindowHu, show_result
from rma_mamba.cli.data.prepared_classes import with_liver
from rma_mamba.cli.shared_options import Quiet, Verbose
from rma_mamba.conventions import ABDOMEN_WINDOW_HU


def prepare(
    name: dataset_of.Name,
    root: dataset_of.Root,
    out: Output,
    lenient: Lenient = False,
    png: Png = False,
    window_hu: WindowHu = ABDOMEN_WINDOW_HU,
    folds: Folds = 5,
    sequences: dataset_of.Sequences = None,
    liver: dataset_of.Liver = None,
    classes: Classes = None,
    patient: dataset_of.Patient = None,
    channels: dataset_of.Channels = None,
    resample: dataset_of.Resample = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check a dataset and convert it for training.

    Print the path of the data table to be used in recipes.
    """
    from rma_mamba.datasets.prepare import RECIPE_DATA, PreparationOptions
    from rma_mamba.datasets.prepare import prepare as write
    from rma_mamba.datasets.processes import usable_cores

    console, jobs = Console(quiet, verbose), jobs or usable_cores()
    opened = partial(open_dataset, name, root, sequences, patient=patient, channels=channels)
    dataset, named = with_liver(partial(opened, resample=resample), parse_classes(classes), liver)
    result = checked(dataset, jobs, console)
    with console.progress("Writing") as progress:
        choices = PreparationOptions(lenient, png, window_hu, folds, named)
        manifest = write(result, out, choices, progress, jobs=jobs)
    show_result(manifest, console)
    typer.echo(str(out / RECIPE_DATA))
