"""`rma-mamba train`: train a network from a recipe."""

from __future__ import annotations

import typer

from rma_mamba.cli.fold_option import Fold, Folds, Jobs
from rma_mamba.cli.shared_options import Lenient, PreparedData, Settings, Verbose
from rma_mamba.cli.training_options import DataChecked, Resume, TrainedRecipe
from rma_mamba.standard_streams import progress_on_stderr


def train(
    recipe: TrainedRecipe,
    settings: Settings = None,
    data: PreparedData = None,
    resume: Resume = False,
    folds: Folds = None,
    fold: Fold = None,
    jobs: Jobs = 1,
    lenient: Lenient = False,
    data_checked: DataChecked = False,
    verbose: Verbose = False,
) -> None:
    """Train a network from a recipe.

    The recipe defines the data, the network, the training settings and the output folder. With --folds, the networks of
    all folds become one weights file.
    """
    from rma_mamba.cli.console import Console
    from rma_mamba.cli.fold_option import parse_fold
    from rma_mamba.training import train as run_training
    from rma_mamba.training import train_folds

    changes, one = settings or [], parse_fold(fold, folds)
    with progress_on_stderr():
        if folds is None:
            changes = [*changes, "data.validation=false"] if one == "all" else changes
            weights = run_training(recipe, changes, resume, data=data, lenient=lenient)
        else:
            only, note = None if one == "all" else one, Console().note
            plan = recipe, folds, changes
            weights = train_folds(
                *plan,
                only=only,
                resume=resume,
                data=data,
                jobs=jobs,
                note=note,
                lenient=lenient,
                check_data=not data_checked,
            )
    typer.echo(f"Weights: {weights}", err=True)
