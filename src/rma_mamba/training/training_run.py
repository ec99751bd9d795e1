"""The entry point of training. Lightning and MONAI are imported when a training run starts, not before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rma_mamba.datasets.splits import Split
from rma_mamba.environment import load_matplotlib, named_user
from rma_mamba.errors import ConfigError
from rma_mamba.extras import require_extra
from rma_mamba.training.config import FOLDS_RECORD, SWEEP_RECORD
from rma_mamba.training.recipe_loading import merge_recipe, validate_recipe

StopRule = Callable[[Sequence[float]], bool]  # validation Dice of all epochs so far


def train(
    recipe: str | Path,
    overrides: Sequence[str] = (),
    resume: bool = False,
    *,
    data: str | Path | None = None,
    quiet: bool = False,
    lenient: bool = False,
    checked: Sequence[Mapping[str, Any]] | None = None,
    stop: StopRule | None = None,
) -> Path:
    """Train a network according to a recipe.

    The run folder contains the recipe as used (`recipe.toml`, and `recipe.json` with all defaults),
    `versions.json`, `data_manifest.json`, the files of the loggers (`metrics/`, `tensorboard/`), `curves.png`,
    `checkpoints/best.ckpt` and `last.ckpt`, and `weights.safetensors`, the best network. On a CPU, a training
    run that was interrupted at any point and resumed gives the same weights, bit for bit.

    Args:
        recipe: A TOML file, or the name of a bundled recipe.
        overrides: Settings such as "training.lr=1e-4".
        resume: Continue from `last.ckpt` in the same folder, if there is one.
        data: A TOML file, as written by `rma-mamba data prepare`, whose `data.root`, `data.sources` and `data.splits`
            replace those of the recipe.
        quiet: Hide the progress bar.
        lenient: Train in spite of errors in the data, which `data_checks.json` in the run folder lists.
        checked: Errors in the data, if they have been checked already; None: they are checked.
        stop: Decides after each epoch, from the validation Dice of all epochs so far, whether the run ends early.

    Returns:
        Path of the weights file.

    Raises:
        BackendError: A package of the extra `train` is not installed, or the devices cannot be used.
        ConfigError: The recipe or a setting is invalid, the folder already contains a training run and
            `resume` is false, or the loss is no longer finite.
        DataError: The quick check of the data found errors, and `lenient` is false; or a patient is in two splits.
        ScanError: Data cannot be read, or a file of the run cannot be written.
        WeightsError: The initial weights do not fit the network.
        RmaMambaError: A data loader worker died.
    """
    require_training_packages()
    content = merge_recipe(recipe, overrides, data)
    settings = validate_recipe(content)
    folder = Path(settings.run.folder)
    _check_folder(folder)
    from rma_mamba.datasets.audit import require_sound_data
    from rma_mamba.training.checkpoints import last_checkpoint
    from rma_mamba.training.fitting import fit_recipe

    last_checkpoint(folder, resume)  # an occupied folder is found before the data are read
    if checked is None:
        splits: tuple[Split, ...] = ("train", "val")
        checked = require_sound_data(settings.data, splits, lenient=lenient, warn=warn_of_data)
    errors = checked if lenient else None
    options = {"resume": resume, "quiet": quiet}
    return fit_recipe(settings, content, folder, **options, data_errors=errors, stop=stop)


def pretrain(
    recipe: str | Path,
    scans: Sequence[str | Path],
    overrides: Sequence[str] = (),
    resume: bool = False,
    *,
    quiet: bool = False,
) -> Path:
    """Train the network of a recipe to restore hidden parts of unlabelled scans (masked image modelling).

    The run folder is that of `train`, without learning curves. The weights are initial weights for `train`; they do not
    segment. An interrupted run continues as one of `train` does.

    Args:
        recipe: A TOML file, or the name of a bundled recipe: network, slice recipe, augmentation, training settings and
            `pretraining`. Its sources are not used.
        scans: Scans of any format, as files or folders of DICOM slices; unreadable ones are left out with a warning.
        overrides: Settings such as "pretraining.mask_share=0.5".
        resume: Continue from `last.ckpt` in the same folder, if there is one.
        quiet: Hide the progress bar.

    Returns:
        Path of the weights file.

    Raises:
        ConfigError: As in `train`, or fewer than two scans can be read.
        BackendError, ScanError, WeightsError, RmaMambaError: As in `train`.
    """
    require_training_packages()
    content = merge_recipe(recipe, overrides)
    settings = validate_recipe(content)
    from rma_mamba.training.pretraining import fit_pretraining

    paths, folder = [Path(each) for each in scans], Path(settings.run.folder)
    return fit_pretraining(settings, content, paths, folder, resume=resume, quiet=quiet)


def _check_folder(folder: Path) -> None:
    """Check that a run folder is not that of several runs."""
    if (folder / FOLDS_RECORD).exists():
        raise ConfigError(
            f"the folder {folder.name} contains a cross-validation; expected an empty folder or a single training run. "
            "Choose another folder with --set run.folder=FOLDER, or continue it with --folds."
        )
    if (folder / SWEEP_RECORD).exists():
        raise ConfigError(
            f"the folder {folder.name} contains a sweep; expected an empty folder or a single training run. Choose "
            "another folder with --set run.folder=FOLDER, or continue it with rma-mamba sweep."
        )


def warn_of_data(sentences: Sequence[str]) -> None:
    """Print warnings of the check of the data, and the errors of lenient checks."""
    for text in sentences:
        print(f"warning: {text}", file=sys.stderr)  # noqa: T201


def require_training_packages() -> None:
    """Check that training is possible, before anything is written.

    Raises:
        BackendError: A package of the extra `train` is not installed.
    """
    load_matplotlib(Path())  # which Lightning imports
    with named_user():  # MONAI asks for the name
        for package in ("lightning", "monai"):
            require_extra(package, "train", "training")
