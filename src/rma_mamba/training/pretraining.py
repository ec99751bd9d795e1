"""A pretraining run: a recipe's network learns to restore hidden parts of unlabelled scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rma_mamba.datasets.config import PhantomConfig, SourceConfig
from rma_mamba.datasets.unlabelled import SOURCE
from rma_mamba.training.checkpoints import Checkpoints
from rma_mamba.training.config import PretrainingConfig, Recipe
from rma_mamba.training.fitting import common_callbacks, fit_run
from rma_mamba.training.masked_images import MaskedImageModule
from rma_mamba.training.unlabelled_data import UnlabelledData


def fit_pretraining(
    recipe: Recipe,
    content: Mapping[str, Any],
    scans: Sequence[Path],
    folder: Path,
    *,
    resume: bool,
    quiet: bool,
) -> Path:
    """Pretrain the network of a recipe; arguments and errors as in `pretrain` and `fit_recipe`."""
    recipe = pretraining_recipe(recipe)
    return fit_run(
        recipe,
        content,
        folder,
        make_data=partial(UnlabelledData, recipe, scans),
        make_module=lambda model: MaskedImageModule(model, recipe),
        callbacks=[
            Checkpoints(folder / "checkpoints", "val_loss", lowest=True),
            *common_callbacks(recipe.training),
        ],
        resume=resume,
        quiet=quiet,
    )


def pretraining_recipe(recipe: Recipe) -> Recipe:
    """The recipe without what needs labels: sources, splits, phantoms, stacks, early stopping, frozen parts; and
    without channels, because each scan is pretrained on alone."""
    unlabelled = SourceConfig(
        name=SOURCE, kind="volumes", dataset=SOURCE, images=SOURCE, labels=SOURCE
    )
    data = {
        "sources": (unlabelled,),
        "splits": {},
        "phantoms": PhantomConfig(),
        "stack_depths": (),
        "foreground_share": None,
        "foreground_window": False,
        # the weights of a single scan are those of each channel
        "recipe": recipe.data.recipe.model_copy(update={"channel_names": ()}),
    }
    training = {"patience": None, "freeze_norms": False, "freeze_encoder_epochs": 0}
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=data),
            "training": recipe.training.model_copy(update=training),
            "pretraining": recipe.pretraining or PretrainingConfig(),
        }
    )
