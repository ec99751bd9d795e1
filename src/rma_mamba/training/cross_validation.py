"""Training of all folds of a cross-validation, in turn or side by side, and the ensemble of their networks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rma_mamba.datasets.splits import Split
from rma_mamba.errors import ConfigError
from rma_mamba.training.config import WEIGHTS_FILE
from rma_mamba.training.fold_settings import CrossValidation
from rma_mamba.training.side_by_side import Command, run_side_by_side
from rma_mamba.training.training_run import (
    require_training_packages,
    train,
    warn_of_data,
)

Note = Callable[[str], None]  # receives progress messages


def train_folds(
    recipe: str | Path,
    folds: int,
    overrides: Sequence[str] = (),
    *,
    only: int | None = None,
    resume: bool = False,
    data: str | Path | None = None,
    jobs: int = 1,
    quiet: bool = False,
    note: Note = lambda message: None,
    lenient: bool = False,
    check_data: bool = True,
) -> Path:
    """Train a network on each fold of a cross-validation.

    Patients are distributed by a hash of their ID and `data.splits.DATASET.seed`, dataset by dataset; those of the test
    split are in no fold. The folder of the recipe contains `folds.json` with the patients of each fold, a run folder
    for each fold (see `train`) and, once all are complete, `weights.safetensors`, the ensemble of their networks.

    Args:
        recipe: A TOML file, or the name of a bundled recipe.
        folds: Number of folds.
        overrides: Settings such as "training.lr=1e-4".
        only: Train this fold only; None: all.
        resume: Continue folds that were interrupted.
        data: A TOML file whose data replace those of the recipe; see `train`.
        jobs: Number of folds trained at the same time, each in a process of its own and on a GPU of its own if there
            are as many. 1: in turn, in this process and on all devices of the recipe.
        quiet: Hide progress bars.
        note: Receives progress messages.
        lenient: Train in spite of errors in the data, which `data_checks.json` in the folder of the recipe lists.
        check_data: Whether the data are checked, once for all folds; false if that has been done.

    Returns:
        Path of the weights file: the ensemble or, while folds are missing, that of the fold.

    Raises:
        ConfigError: As in `train`; there is no such fold, or the folder contains other folds.
        DataError: As in `train`.
        RmaMambaError: A fold that was trained in a process of its own failed.
    """
    require_training_packages()
    plan = CrossValidation.of(recipe, folds, overrides, data)
    if only is not None and not 0 <= only < folds:
        raise ConfigError(
            f"there is no fold {only}; expected 0 to {folds - 1}. Correct --fold or --folds."
        )
    plan.record()
    selected = range(folds) if only is None else (only,)
    from rma_mamba.datasets.audit import data_errors
    from rma_mamba.training.checkpoints import last_checkpoint

    for fold in selected:
        last_checkpoint(plan.run_folder(fold), resume)
    errors = _checked(plan, selected, lenient=lenient) if check_data else data_errors(plan.folder)
    if jobs > 1 and len(selected) > 1:
        commands = [_command(plan, fold, resume, lenient) for fold in selected]
        run_side_by_side(commands, min(jobs, len(commands)), note)
    else:
        for fold in selected:
            note(f"fold {fold}: training")
            settings = plan.overrides_of(fold)
            train(recipe, settings, resume, data=data, quiet=quiet, lenient=lenient, checked=errors)
    return write_fold_ensemble(plan) or fold_weights(plan)[selected[0]]


def fold_weights(plan: CrossValidation) -> list[Path]:
    """The weights file of each fold, whether it exists or not."""
    return [plan.run_folder(fold) / WEIGHTS_FILE for fold in range(plan.folds)]


def write_fold_ensemble(plan: CrossValidation) -> Path | None:
    """Write the ensemble of the networks of all folds; None if a fold is not complete."""
    weights = fold_weights(plan)
    if not all(path.exists() for path in weights):
        return None
    from rma_mamba.training.ensemble_weights import write_ensemble

    path = plan.folder / WEIGHTS_FILE
    write_ensemble(weights, path)
    return path


def _checked(
    plan: CrossValidation, folds: Iterable[int], *, lenient: bool
) -> Sequence[Mapping[str, Any]]:
    """The errors in the data of some folds, checked together: most cases are in all of them."""
    from rma_mamba.datasets.audit import require_sound_data

    data = [plan.recipe_of(fold).data for fold in folds]
    splits: tuple[Split, ...] = ("train", "val")
    return require_sound_data(data, splits, lenient=lenient, warn=warn_of_data, record=plan.folder)


def _command(plan: CrossValidation, fold: int, resume: bool, lenient: bool) -> Command:
    """The command that trains one fold, and the file for its messages."""
    words = [sys.executable, "-m", "rma_mamba", "train", str(plan.recipe)]
    words += ["--folds", str(plan.folds), "--fold", str(fold)]
    words += [word for setting in plan.overrides for word in ("--set", setting)]
    words += ["--data", str(plan.data)] if plan.data else []
    words += ["--resume"] if resume else []
    words += ["--data-checked", *(["--lenient"] if lenient else [])]
    return Command(f"fold {fold}", words, plan.folder / f"fold-{fold}.log")
