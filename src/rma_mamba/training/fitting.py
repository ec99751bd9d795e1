"""One training run with Lightning: network, data and callbacks of a recipe, fitted and exported."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import nn

from rma_mamba.datasets.foreground_window import foreground_window_hu
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.vss import VSSBlock
from rma_mamba.models.weights import EMBEDDED, embedded_weights
from rma_mamba.ops.after_fork import continue_on_one_thread
from rma_mamba.training.checkpoints import (
    Checkpoints,
    DiceEarlyStopping,
    check_network,
    completed_epochs,
    last_checkpoint,
)
from rma_mamba.training.config import WEIGHTS_FILE, ModelConfig, Recipe, TrainingConfig
from rma_mamba.training.curves import Curves, EarlyEnd
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule
from rma_mamba.training.optimizer import check_encoder
from rma_mamba.training.recipe_changes import check_resumed_recipe
from rma_mamba.training.run_errors import LossError, translate_errors
from rma_mamba.training.run_record import RunRecord
from rma_mamba.training.stack_checks import check_stacks
from rma_mamba.training.trainer import make_trainer
from rma_mamba.training.weights_tools import average_weights

# Lightning warns about its own code and about choices that are intended here; MONAI about crops without tissue.
_HARMLESS_WARNINGS = (
    r".*isinstance\(treespec, LeafSpec\).*",
    ".*does not have many workers.*",
    ".*number of training batches.*smaller than the logging.*",
    ".*lr_scheduler.step.*before.*optimizer.step.*",
    ".*intensity is a single value.*",
)


def fit_recipe(
    recipe: Recipe,
    content: Mapping[str, Any],
    folder: Path,
    *,
    resume: bool,
    quiet: bool,
    data_errors: Sequence[Mapping[str, Any]] | None = None,
    stop: Callable[[Sequence[float]], bool] | None = None,
) -> Path:
    """Train the network of a recipe and export the best checkpoint; arguments and errors as in `train`.

    Args:
        recipe: The validated recipe.
        content: The recipe as read, merged with its base and overrides, for the run record.
        folder: Run folder.
        resume: Continue from the last checkpoint, if there is one.
        quiet: Hide the progress bar.
        data_errors: Errors in the data that lenient checks accepted, for the run record; None: checks were not lenient.
        stop: As in `train`.

    Returns:
        Path of the weights file.
    """
    check_stacks(recipe)
    recipe = with_foreground_window(recipe.model_copy(update={"pretraining": None}))
    return fit_run(
        recipe,
        content,
        folder,
        make_data=partial(SliceDataModule, recipe),
        make_module=lambda model: SegmentationModule(
            model, recipe.training, recipe.run.seed, recipe.labels
        ),
        callbacks=_callbacks(recipe, folder, stop),
        resume=resume,
        quiet=quiet,
        data_errors=data_errors,
    )


def fit_run(
    recipe: Recipe,
    content: Mapping[str, Any],
    folder: Path,
    *,
    make_data: Callable[[int], SliceDataModule],
    make_module: Callable[[nn.Module], SegmentationModule],
    callbacks: Sequence[Callback],
    resume: bool,
    quiet: bool,
    data_errors: Sequence[Mapping[str, Any]] | None = None,
) -> Path:
    """Train a network on any data with any loss, and export the best checkpoint.

    Args:
        recipe: The recipe of the run.
        content: For the run record.
        folder: Run folder.
        make_data: Makes the data from the number of the first epoch.
        make_module: Makes the module from the network.
        callbacks: Callbacks in addition to the run record.
        resume: Continue from the last checkpoint, if there is one.
        quiet: Hide the progress bar.
        data_errors: As in `fit_recipe`.

    Returns:
        Path of the weights file.
    """
    continue_on_one_thread()
    last = last_checkpoint(folder, resume)
    resumed = check_resumed_recipe(folder, recipe) if last else None
    lightning.seed_everything(recipe.run.seed, verbose=False)
    model = initial_model(recipe, resumed=last is not None)
    if last:
        check_network(last, model)
    data, module = make_data(completed_epochs(last) if last else 0), make_module(model)
    callbacks = [*callbacks, RunRecord(folder, content, recipe, data, resumed, data_errors)]
    trainer = make_trainer(
        recipe.training, folder, callbacks, model, quiet=quiet, validate=recipe.data.validation
    )
    with _ignore_harmless_warnings(), translate_errors():
        _fit(trainer, module, data, last)
    return _export(folder, trainer, validated=recipe.data.validation)


def with_foreground_window(recipe: Recipe) -> Recipe:
    """The recipe with the HU window of its training data, if it asks for that."""
    if not recipe.data.foreground_window:
        return recipe
    window = foreground_window_hu(SourceFiles(recipe.data))
    slices = recipe.data.recipe.model_copy(update={"ct_window_hu": window})
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"recipe": slices})})


def initial_model(recipe: Recipe, *, resumed: bool) -> nn.Module:
    """The network of a recipe with its initial weights, which a resumed run takes from its checkpoint.

    Raises:
        ConfigError: The network and the settings of the recipe do not fit.
        WeightsError: The initial weights are missing or do not fit the network.
    """
    model = create_model(recipe.model.name, **recipe.network_settings)
    if not resumed:
        _load_initial_weights(model, recipe.model)
    check_encoder(model, recipe.training)
    if recipe.training.checkpoint_activations:
        blocks = [each for each in model.modules() if isinstance(each, VSSBlock)]
        if not blocks:
            raise ConfigError(
                "training.checkpoint_activations is set, but the network has no VSS blocks; expected a network "
                "with them. Remove the setting, or lower training.batch_size and raise training.accumulate."
            )
        for block in blocks:
            block.gradient_checkpointing = True
    return model


def _load_initial_weights(model: nn.Module, config: ModelConfig) -> None:
    if config.weights == EMBEDDED:
        with embedded_weights() as path:
            load_weights(model, path, fresh=config.fresh)
    elif config.weights is not None:
        load_weights(model, config.weights, fresh=config.fresh)


def _callbacks(
    recipe: Recipe, folder: Path, stop: Callable[[Sequence[float]], bool] | None
) -> list[Callback]:
    training = recipe.training
    validate = recipe.data.validation
    checkpoints, curves = Checkpoints(folder / "checkpoints", keep_best=validate), Curves(folder)
    callbacks: list[Callback] = [curves, checkpoints]
    if stop is not None:
        callbacks.append(EarlyEnd(curves, stop))
    if training.patience is not None and validate:
        callbacks.append(DiceEarlyStopping(training.patience))
    return [*callbacks, *common_callbacks(training)]


def common_callbacks(training: TrainingConfig) -> list[Callback]:
    """Callbacks of any training run: the learning rate in logs, and averaged weights."""
    callbacks: list[Callback] = []
    if training.loggers:
        callbacks.append(LearningRateMonitor("epoch"))
    if training.average_weights is not None:
        callbacks.append(EMAWeightAveraging(decay=training.average_weights))
    return callbacks


@contextmanager
def _ignore_harmless_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _HARMLESS_WARNINGS:
            warnings.filterwarnings("ignore", message)
        yield


def _fit(
    trainer: lightning.Trainer,
    module: SegmentationModule,
    data: SliceDataModule,
    last: Path | None,
) -> None:
    """Train; if interrupted, exit with 128 + signal number as shells expect (Lightning exits with 0 or 1)."""
    try:
        trainer.fit(module, data, ckpt_path=last)
    except SystemExit as leaving:
        if trainer.interrupted:
            code = signal.SIGTERM if isinstance(leaving, SIGTERMException) else signal.SIGINT
            raise SystemExit(128 + code) from None
        raise


def _export(folder: Path, trainer: lightning.Trainer, *, validated: bool) -> Path:
    """Write the best checkpoint as a weights file: the weights that were validated, averaged or not.

    Without validation, there is no best checkpoint, and the last one is written.

    The file contains the whole configuration of the network, so that it still loads when the preset of the
    same name has changed, and the provenance of the weights.

    Raises:
        LossError: The weights are not finite.
    """
    path = folder / WEIGHTS_FILE
    chosen = "best.ckpt" if validated else "last.ckpt"
    if trainer.is_global_zero:
        state = average_weights([folder / "checkpoints" / chosen], path).state
        if not all(tensor.isfinite().all() for tensor in state.values()):
            path.unlink()
            # the last step of a run may spoil the weights, and no later one notices it
            brief = "the weights are no longer finite after the last step"
            advice = "expected finite numbers. Lower training.lr or set training.clip_norm."
            raise LossError(f"{brief}; {advice}", brief)
    trainer.strategy.barrier()
    return path
