"""From a recipe to weights, through Lightning."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.files import replace_file
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.vss import VSSBlock
from rma_mamba.models.weights import EMBEDDED, embedded_weights, encode_checkpoint
from rma_mamba.training.checkpoints import (
    Checkpoints,
    Patience,
    epochs_done,
    last_checkpoint,
    model_state,
)
from rma_mamba.training.config import ModelConfig, Recipe
from rma_mamba.training.curves import Curves
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule
from rma_mamba.training.optimizer import check_encoder
from rma_mamba.training.recipe_loading import checked, merged_recipe
from rma_mamba.training.run_errors import known_failures
from rma_mamba.training.run_record import Record
from rma_mamba.training.trainer import make_trainer

WEIGHTS_FILE = "weights.safetensors"

# What Lightning says of its own code and of choices that are meant, and MONAI of a crop beside the body.
_NO_NEWS = (
    r".*isinstance\(treespec, LeafSpec\).*",
    ".*does not have many workers.*",
    ".*number of training batches.*smaller than the logging.*",
    ".*lr_scheduler.step.*before.*optimizer.step.*",
    ".*intensity is a single value.*",
)


def train(
    recipe: str | Path,
    overrides: Sequence[str] = (),
    resume: bool = False,
    *,
    data: str | Path | None = None,
    quiet: bool = False,
) -> Path:
    """Train a network as a recipe says.

    In the run's folder it leaves the recipe as it was used (`recipe.toml`, and with every default
    `recipe.json`), `versions.json`, `data_manifest.json`, what the loggers write (`metrics/`, `tensorboard/`),
    `curves.png`, `checkpoints/best.ckpt` and `last.ckpt`, and `weights.safetensors`, the best network. On a
    CPU a training that was interrupted, however, and resumed comes to the same weights, bit for bit.

    Args:
        recipe: A TOML file, or the name of a shipped recipe.
        overrides: Settings as "training.lr=1e-4".
        resume: Go on from `last.ckpt` of the same folder, if there is one.
        data: A TOML file with the data, instead of the recipe's: see `merged_recipe`.
        quiet: No progress bar.

    Returns:
        Path of the weights.

    Raises:
        ConfigError: The recipe or a setting is wrong, the folder already holds a training and `resume` is
            false, or the loss became NaN.
        ScanError: Data cannot be read, or a file of the run cannot be written.
        WeightsError: The weights to start from do not fit.
        RmaMambaError: A process that prepares slices died.
    """
    content = merged_recipe(recipe, overrides, data)
    settings = checked(content)
    folder = Path(settings.run.folder)
    last = last_checkpoint(folder, resume)
    lightning.seed_everything(settings.run.seed, verbose=False)
    model = _model(settings)
    slices = SliceDataModule(settings, first_epoch=epochs_done(last) if last else 0)
    module = SegmentationModule(model, settings.training, settings.run.seed)
    callbacks = [*_callbacks(settings, folder), Record(folder, content, settings, slices)]
    trainer = make_trainer(settings.training, folder, callbacks, model, quiet=quiet)
    with _no_news(), known_failures():
        _fit(trainer, module, slices, last)
    return _export(settings, folder, trainer)


def _model(settings: Recipe) -> nn.Module:
    model = create_model(settings.model.name, **settings.model.settings)
    _start(model, settings.model)
    check_encoder(model, settings.training)
    if settings.training.checkpoint_activations:
        blocks = [each for each in model.modules() if isinstance(each, VSSBlock)]
        if not blocks:
            raise ConfigError(
                "training.checkpoint_activations is set, but the network has no VSS block; expected one "
                "with them. Remove it, or lower training.batch_size and raise training.accumulate."
            )
        for block in blocks:
            block.recomputed = True
    return model


def _start(model: nn.Module, config: ModelConfig) -> None:
    """Load the weights to start from."""
    if config.weights == EMBEDDED:
        with embedded_weights() as path:
            load_weights(model, path, fresh=config.fresh)
    elif config.weights is not None:
        load_weights(model, config.weights, fresh=config.fresh)


def _callbacks(settings: Recipe, folder: Path) -> list[Callback]:
    training = settings.training
    callbacks: list[Callback] = [Curves(folder), Checkpoints(folder / "checkpoints")]
    if training.loggers:
        callbacks.append(LearningRateMonitor("epoch"))
    if training.patience is not None:
        callbacks.append(Patience(training.patience))
    if training.average_weights is not None:
        callbacks.append(EMAWeightAveraging(decay=training.average_weights))
    return callbacks


@contextmanager
def _no_news() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _NO_NEWS:
            warnings.filterwarnings("ignore", message)
        yield


def _fit(
    trainer: lightning.Trainer, module: SegmentationModule, data: SliceDataModule, last: Path | None
) -> None:
    """Train; when interrupted, leave with the code that shells know (Lightning's are 0 and 1)."""
    try:
        trainer.fit(module, data, ckpt_path=last)
    except SystemExit as leaving:
        if trainer.interrupted:
            code = signal.SIGTERM if isinstance(leaving, SIGTERMException) else signal.SIGINT
            raise SystemExit(128 + code) from None
        raise


def _export(settings: Recipe, folder: Path, trainer: lightning.Trainer) -> Path:
    """The best checkpoint as a weights file; what is validated, averaged or not, is what is kept."""
    path = folder / WEIGHTS_FILE
    if trainer.is_global_zero:
        content = encode_checkpoint(
            model_state(folder / "checkpoints" / "best.ckpt"),
            model=settings.model.name,
            settings=settings.model.settings,
            recipe=settings.data.recipe.model_dump(mode="json"),
            dtype=torch.float16,
        )
        replace_file(path, content, "weights file")
    trainer.strategy.barrier()
    return path
