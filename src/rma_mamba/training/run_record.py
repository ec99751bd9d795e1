"""Files that document a training run: its recipe, code, initial weights, and the data that it read."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rma_mamba.datasets.audit import record_data_errors
from rma_mamba.datasets.data_manifest import check_same_data
from rma_mamba.files import file_sha256, replace_file
from rma_mamba.models.weights import EMBEDDED, embedded_weights
from rma_mamba.training.config import ModelConfig, Recipe, TrainingConfig
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.precision import lightning_precision
from rma_mamba.training.recipe_changes import Changes
from rma_mamba.training.run_files import (
    CODE,
    INITIAL,
    MANIFEST,
    RECIPE_JSON,
    RECIPE_TOML,
    RESUMES,
    read_json,
)
from rma_mamba.training.source_commit import source_commit
from rma_mamba.training.toml_writer import to_toml

_PACKAGES = ("rma-mamba", "torch", "lightning", "monai", "numba", "numpy")


class RunRecord(Callback):
    """Write the files when a run starts; when it is resumed, add a record of that and leave them as they are.

    `recipe.toml`, `recipe.json`, `versions.json`, `initial_weights.json` and `data_manifest.json` describe the run;
    `resumes.json` lists the epochs at which it was resumed, with the settings and versions that had changed.
    `data_checks.json` lists the errors in the data that lenient checks accepted, the last time that it was resumed.

    Args:
        folder: Run folder.
        content: The recipe as read, including its base and overrides.
        recipe: The validated recipe, including all defaults.
        data: The cases that were read.
        resumed: Settings that have changed since the run started; None: it starts now.
        data_errors: Errors in the data that lenient checks accepted; None: checks were not lenient.
    """

    def __init__(
        self,
        folder: Path,
        content: Mapping[str, Any],
        recipe: Recipe,
        data: SliceDataModule,
        resumed: Changes | None = None,
        data_errors: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder, self.content, self.recipe, self.data = folder, content, recipe, data
        self.resumed, self.data_errors = resumed, data_errors

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the files, from the first process only.

        Raises:
            ConfigError: The data differ from those that the resumed run started with.
        """
        if not trainer.is_global_zero:
            return
        cases = self.data.manifest()
        if self.resumed is not None:
            check_same_data(read_json(self.folder / MANIFEST, cases), cases, self.folder.name)
            self._record_resume(self.data.first_epoch, self.resumed)
        if self.data_errors is not None:
            record_data_errors(self.folder, self.data_errors)
        texts = {
            RECIPE_TOML: to_toml(self.content),
            RECIPE_JSON: self.recipe.model_dump_json(indent=2),
            CODE: json.dumps(versions(self.recipe.training), indent=2),
            INITIAL: json.dumps(initial_weights(self.recipe.model), indent=2),
            MANIFEST: json.dumps(cases, indent=1),
        }
        for name, text in texts.items():
            if self.resumed is None or not (self.folder / name).exists():
                replace_file(self.folder / name, text.encode(), name.partition(".")[0])

    def _record_resume(self, epoch: int, changes: Changes) -> None:
        now = versions(self.recipe.training)
        before = read_json(self.folder / CODE, now)
        record = {
            "epoch": epoch,
            "settings": {name: list(map(_plain, values)) for name, values in changes.items()},
            "versions": {
                name: [before.get(name), value]
                for name, value in now.items()
                if before.get(name) != value
            },
        }
        records = [*read_json(self.folder / RESUMES, []), record]
        replace_file(self.folder / RESUMES, json.dumps(records, indent=2).encode(), "resumes")


def versions(training: TrainingConfig) -> dict[str, str | None]:
    """Versions of Python and of the packages that can influence the results, the commit of this one, and the precision.

    The precision is the one in use: for "auto" it depends on the device.
    """
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "commit": source_commit(),
        "precision": lightning_precision(training),
    }


def initial_weights(model: ModelConfig) -> dict[str, str] | None:
    """File name and SHA-256 of the weights that a network starts from; None: random weights."""
    if model.weights is None:
        return None
    if model.weights == EMBEDDED:
        with embedded_weights() as path:
            return {"name": EMBEDDED, "sha256": file_sha256(path)}
    path = Path(model.weights)
    return {"name": path.name, "sha256": file_sha256(path)}


def _plain(value: Any) -> Any:
    """A value for JSON; None for a setting that did not exist."""
    return value if isinstance(value, str | int | float | bool | list | dict) else None
