"""Files that document a training run: its recipe, the software versions, and the data that it read."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rma_mamba.datasets.data_manifest import data_manifest
from rma_mamba.files import replace_file
from rma_mamba.training.config import Recipe
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.toml_writer import to_toml

_PACKAGES = ("rma-mamba", "torch", "lightning", "monai", "numba", "numpy")


class RunRecord(Callback):
    """Write `recipe.toml`, `recipe.json`, `versions.json` and `data_manifest.json` when training starts.

    Args:
        folder: Run folder.
        content: The recipe as read, including its base and overrides.
        recipe: The validated recipe, including all defaults.
        data: The cases that were read.
    """

    def __init__(
        self, folder: Path, content: Mapping[str, Any], recipe: Recipe, data: SliceDataModule
    ) -> None:
        self.folder, self.content, self.recipe, self.data = folder, content, recipe, data

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the files, from the first process only."""
        if not trainer.is_global_zero:
            return
        cases = data_manifest(self.data.files, self.data.cases)
        texts = {
            "recipe.toml": to_toml(self.content),
            "recipe.json": self.recipe.model_dump_json(indent=2),
            "versions.json": json.dumps(versions(), indent=2),
            "data_manifest.json": json.dumps(cases, indent=1),
        }
        for name, text in texts.items():
            replace_file(self.folder / name, text.encode(), name.partition(".")[0])


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can influence the results."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
