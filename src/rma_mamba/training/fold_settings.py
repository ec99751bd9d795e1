"""Cross-validation: the settings that turn a recipe into the recipe of one fold, and the record of all folds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SplitConfig
from rma_mamba.errors import ConfigError
from rma_mamba.files import replace_file
from rma_mamba.training.config import FOLDS_RECORD, SWEEP_RECORD, Recipe
from rma_mamba.training.recipe_loading import load_recipe
from rma_mamba.training.toml_writer import to_toml

_HELD_OUT = "test"


@dataclass(frozen=True)
class CrossValidation:
    """A recipe, and the settings that distribute its patients over folds.

    Args:
        recipe: A TOML file, or the name of a bundled recipe.
        overrides: Settings such as "training.lr=1e-4".
        data: A TOML file whose data replace those of the recipe; None: the recipe's own.
        settings: The recipe with these settings.
        folds: Number of folds.
    """

    recipe: str | Path
    overrides: tuple[str, ...]
    data: str | Path | None
    settings: Recipe
    folds: int

    @classmethod
    def of(
        cls,
        recipe: str | Path,
        folds: int,
        overrides: Sequence[str] = (),
        data: str | Path | None = None,
    ) -> CrossValidation:
        """Load the recipe and check that its patients can be distributed.

        Raises:
            ConfigError: The recipe or a setting is invalid, there are fewer than two folds or more folds than
                patients, or published folds have another number.
        """
        settings = load_recipe(recipe, overrides, data)
        if folds < 2:
            raise ConfigError(
                f"the number of folds is {folds}; expected at least 2. Set --folds 5, for example."
            )
        if not settings.data.validation:
            raise ConfigError(
                "data.validation is false, and each fold is validated on its patients; expected true. Remove the "
                "setting, or --folds."
            )
        found = cls(recipe, tuple(overrides), data, settings, folds)
        found.assignment()
        return found

    @property
    def folder(self) -> Path:
        """Folder of the cross-validation."""
        return Path(self.settings.run.folder)

    @cached_property
    def datasets(self) -> list[str]:
        """Datasets whose patients are distributed over the folds."""
        return _folded_datasets(self.settings.data)

    def run_folder(self, fold: int) -> Path:
        """Run folder of a fold."""
        return self.folder / f"fold-{fold}"

    def overrides_of(self, fold: int) -> tuple[str, ...]:
        """All settings of a fold: those of the recipe, its run folder, and its validation patients."""
        data = self.settings.data
        folded = self.datasets
        splits = {
            name: self._split(data.splits.get(name, SplitConfig()), name, fold) for name in folded
        }
        kept = {name: _written(split) for name, split in data.splits.items() if name not in splits}
        sources = [
            source.model_dump(mode="json", exclude_unset=True, exclude_none=True)
            for source in data.sources
        ]
        for source, table in zip(data.sources, sources, strict=True):
            if source.dataset in folded and source.split != _HELD_OUT:
                table.pop("split", None)
        own = {
            "run.folder": str(self.run_folder(fold)),
            "data.splits": {**kept, **splits},
            "data.sources": sources,
        }
        return (*self.overrides, *(_override(key, value) for key, value in own.items()))

    def recipe_of(self, fold: int) -> Recipe:
        """The recipe of a fold."""
        return load_recipe(self.recipe, self.overrides_of(fold), self.data)

    def assignment(self) -> dict[str, Any]:
        """The patients of each dataset: those of each fold, and those held out for testing.

        Raises:
            ConfigError: A dataset has fewer patients than folds.
        """
        recipes = [self.recipe_of(fold).data for fold in range(self.folds)]
        files = [SourceFiles(each) for each in recipes]
        files[0].check_leakage()
        datasets = {}
        for name in self.datasets:
            validated = [_patients(each, name, "val") for each in files]
            held_out = _patients(files[0], name, _HELD_OUT)
            datasets[name] = {"folds": validated, "test": held_out}
        return {"folds": self.folds, "datasets": datasets}

    def record(self) -> None:
        """Write the patients of each fold to the folder, or compare them with those of an earlier start.

        Raises:
            ConfigError: The folder contains other folds, a single training run, or a sweep.
            ScanError: The file cannot be written.
        """
        if (self.folder / "checkpoints").exists():
            raise ConfigError(
                f"the folder {self.folder.name} contains a single training run; expected an empty folder or the same "
                "folds. Choose another folder with --set run.folder=FOLDER."
            )
        if (self.folder / SWEEP_RECORD).exists():
            raise ConfigError(
                f"the folder {self.folder.name} contains a sweep; expected an empty folder or the same folds. Choose "
                "another folder with --set run.folder=FOLDER."
            )
        path, found = self.folder / FOLDS_RECORD, self.assignment()
        if path.exists():
            self.check_record()
            return
        replace_file(path, json.dumps(found, indent=1).encode(), "record of the folds")

    def check_record(self) -> None:
        """Compare the folds with those that were trained.

        Raises:
            ConfigError: There is no cross-validation in the folder, or it has other folds.
        """
        try:
            known = json.loads((self.folder / FOLDS_RECORD).read_text("utf-8"))
        except (OSError, ValueError):
            raise ConfigError(
                f"the folder {self.folder.name} contains no {FOLDS_RECORD} that can be read; expected a "
                "cross-validation. Train it with rma-mamba train --folds, or correct run.folder."
            ) from None
        difference = _difference(known, self.assignment())
        if difference:
            raise ConfigError(
                f"the folder {self.folder.name} contains a cross-validation with other folds ({difference}); expected "
                "the same patients in the same folds. Restore the data and splits, or choose another folder with "
                "--set run.folder=FOLDER."
            )

    def _split(self, split: SplitConfig, dataset: str, fold: int) -> dict[str, Any]:
        """The split of a dataset in one fold; published folds are used as they are."""
        table = _written(split)
        for name in ("val", "folds", "published"):
            table.pop(name, None)
        if not split.published:
            return {**table, "folds": self.folds, "fold": fold}
        if len(split.published) != self.folds:
            raise ConfigError(
                f"dataset {dataset} has {len(split.published)} published folds and {self.folds} were requested; "
                f"expected the same number. Use --folds {len(split.published)}, or remove data.splits.{dataset}."
                "published."
            )
        return {**table, "published": [list(each) for each in split.published], "fold": fold}


def _folded_datasets(data: DataConfig) -> list[str]:
    """Datasets whose patients are distributed over folds: in order, each once.

    A dataset whose patients all belong to training is an addition to the training data of every fold, unless there is
    no other.
    """
    files = SourceFiles(data)
    used: dict[str, set[str | None]] = {}
    for source in data.sources:
        everyone_tested = "*" in data.splits.get(source.dataset, SplitConfig()).test
        if not everyone_tested and (files.images(source, "train") or files.images(source, "val")):
            used.setdefault(source.dataset, set()).add(source.split)
    found = [name for name, splits in used.items() if splits != {"train"}] or list(used)
    if not found:
        raise ConfigError(
            "all patients belong to the test split; expected patients to distribute over folds. Change data.splits or "
            "the split of the sources."
        )
    return found


def _written(split: SplitConfig) -> dict[str, Any]:
    return split.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def _override(key: str, value: Any) -> str:
    """A setting as on the command line; TOML arrays and inline tables, in one line."""
    text = to_toml({"value": [value]}).partition(" = [")[2].rstrip()[:-1]
    return f"{key}={text.strip()}"


def _patients(files: SourceFiles, dataset: str, split: Any) -> list[str]:
    sources = [source for source in files.config.sources if source.dataset == dataset]
    return sorted({patient for source in sources for patient in files.images(source, split)})


def _difference(known: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What differs between two assignments, without patient IDs; empty if nothing does."""
    if known.get("folds") != found["folds"]:
        return f"{known.get('folds')} folds instead of {found['folds']}"
    before = known.get("datasets", {})
    changed = [name for name, each in found["datasets"].items() if before.get(name) != each]
    changed += [name for name in before if name not in found["datasets"]]
    return f"patients of dataset {', '.join(changed)}" if changed else ""
