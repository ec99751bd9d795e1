"""What a sweep varies, and the record of it in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice, product
from pathlib import Path
from typing import Any, Literal

from rma_mamba.deprecation import suppress_rename_warnings
from rma_mamba.errors import ConfigError, WeightsError
from rma_mamba.experiments.sweep.search_space import SearchSpace, Values, grid, parse_parameters
from rma_mamba.experiments.sweep.sweep_journal import JOURNAL
from rma_mamba.files import only_process, replace_file
from rma_mamba.models.weights import EMBEDDED
from rma_mamba.training import Recipe, load_recipe, merge_recipe
from rma_mamba.training.config import FOLDS_RECORD, SWEEP_RECORD, WEIGHTS_FILE
from rma_mamba.training.recipe_changes import describe_changes, recipe_changes
from rma_mamba.training.recipe_loading import validate_recipe
from rma_mamba.training.stack_checks import check_stacks

Sampler = Literal["tpe", "random", "grid"]

_LOCK = "sweep.lock"
_CHECKED = 500  # combinations of values that are checked at the start
_OWN = ("run.folder", "run.seed", "training.devices", "training.nodes")  # set by the sweep
# Where a sweep runs; everything else would mix results that cannot be compared.
_MAY_CHANGE = (
    *("run.folder", "data.root", "data.cache"),
    *("training.workers", "training.accelerator", "training.loggers*"),
)


@dataclass(frozen=True)
class SweepPlan:
    """A recipe, the settings that a sweep varies, and the seeds of each trial.

    Args:
        recipe: A TOML file, or the name of a bundled recipe.
        overrides: Settings of all trials, such as "training.epochs=20".
        data: A TOML file whose data replace those of the recipe; None: the recipe's own.
        space: Settings and their values.
        seeds: Seeds with which each trial is trained.
        sampler: How values are chosen.
        prune: Whether trials below the median end early.
        settings: The recipe with overrides and data.
    """

    recipe: str | Path
    overrides: tuple[str, ...]
    data: str | Path | None
    space: SearchSpace
    seeds: tuple[int, ...]
    sampler: Sampler
    prune: bool
    settings: Recipe

    @classmethod
    def of(
        cls,
        recipe: str | Path,
        parameters: Sequence[str],
        overrides: Sequence[str] = (),
        *,
        data: str | Path | None = None,
        seeds: Sequence[int] = (),
        sampler: Sampler = "tpe",
        prune: bool = False,
    ) -> SweepPlan:
        """Load the recipe, and check that every value of the parameters can be used.

        Args:
            recipe: A TOML file, or the name of a bundled recipe.
            parameters: Such as "training.lr=1e-4:1e-2:log"; see `search_space`.
            overrides: Settings of all trials.
            data: A TOML file whose data replace those of the recipe.
            seeds: Seeds of each trial; empty: that of the recipe.
            sampler: How values are chosen.
            prune: Whether trials below the median end early.

        Raises:
            ConfigError: The recipe, a parameter or one of its values is invalid, or there is no validation.
            WeightsError: The initial weights do not exist.
        """
        settings = load_recipe(recipe, overrides, data)
        found = cls(
            recipe,
            tuple(overrides),
            data,
            parse_parameters(parameters),
            tuple(seeds) or (settings.run.seed,),
            sampler,
            prune,
            settings,
        )
        found._check()
        return found

    @property
    def folder(self) -> Path:
        """Folder of the sweep."""
        return Path(self.settings.run.folder)

    @property
    def combinations(self) -> list[Values] | None:
        """The trials of a grid; None for other samplers."""
        return grid(self.space) if self.sampler == "grid" else None

    def run_folder(self, trial: int, seed: int) -> Path:
        """Run folder of a trial with one seed."""
        return self.folder / f"trial-{trial:03}" / f"seed-{seed}"

    def overrides_of(self, values: Values) -> tuple[str, ...]:
        """The settings of all trials and those of one."""
        return (*self.overrides, *(f"{name}={value}" for name, value in values.items()))

    def run_overrides(self, trial: int, values: Values, seed: int) -> tuple[str, ...]:
        """All settings of a run of a trial."""
        own = {"run.folder": self.run_folder(trial, seed), "run.seed": seed, "training.devices": 1}
        return (*self.overrides_of(values), *(f"{key}={value}" for key, value in own.items()))

    def check_values(self, values: Values) -> None:
        """Check that a recipe with these values is valid and its network can be made.

        Raises:
            ConfigError: It is not.
            WeightsError: The initial weights do not fit the network.
        """
        from rma_mamba.training.fitting import initial_model  # imports Lightning

        initial_model(load_recipe(self.recipe, self.overrides_of(values), self.data), resumed=False)

    def best_recipe(self, values: Values) -> dict[str, Any]:
        """The content of the recipe with these values, with a run folder of its own."""
        own = (f"run.folder={self.folder / 'best'}", f"run.seed={self.seeds[0]}")
        content = merge_recipe(self.recipe, (*self.overrides_of(values), *own), self.data)
        validate_recipe(content)
        return content

    @contextmanager
    def open_folder(self) -> Iterator[None]:
        """Write the record of the sweep, or compare it with that of an earlier start; keep other sweeps out.

        Raises:
            ConfigError: The folder contains another sweep or a training run, or a sweep is running in it.
            ScanError: The folder cannot be written.
        """
        self._check_folder()
        with only_process(self.folder / _LOCK, "a sweep"):
            self._record()
            yield

    def _check(self) -> None:
        if not self.settings.data.validation:
            raise ConfigError(
                "data.validation is false, and trials are compared by their validation Dice; expected true. Remove the "
                "setting."
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ConfigError(
                "a seed is named twice, and would give the same run; expected different seeds. Correct --seeds."
            )
        if self.settings.training.devices not in ("auto", 1) or self.settings.training.nodes > 1:
            raise ConfigError(
                "training.devices or training.nodes is set, and a sweep trains on one device; expected 1. Remove the "
                "setting."
            )
        weights = self.settings.model.weights
        if weights not in (None, EMBEDDED) and not Path(str(weights)).is_file():
            raise WeightsError(
                f"the initial weights {Path(str(weights)).name} do not exist; expected a file, or default. Correct "
                "model.weights."
            )
        self._check_names()
        self._check_each_value()
        if self.sampler == "grid":
            grid(self.space)

    def _check_names(self) -> None:
        """Check that no parameter is set in another way as well."""
        set_twice = {each.partition("=")[0].strip() for each in self.overrides} & {*self.space}
        if wrong := next((name for name in self.space if name in set_twice), None):
            raise ConfigError(
                f"the parameter {wrong} is also set with --set; expected one of the two. Remove one."
            )
        if wrong := next((name for name in self.space if name in _OWN), None):
            raise ConfigError(
                f"the parameter {wrong} is set by the sweep; expected another setting. Use --seeds for seeds, and "
                "--output for the folder."
            )

    def _check_each_value(self) -> None:
        """Check that each value of a list, and both ends of each range, are valid beside some values of the others."""
        ends = {name: _ends(values) for name, values in self.space.items()}
        valid: set[tuple[str, str]] = set()
        errors: dict[tuple[str, str], ConfigError] = {}
        for values in islice(product(*ends.values()), _CHECKED):
            pairs = [*zip(ends, values, strict=True)]
            try:
                recipe = load_recipe(self.recipe, self.overrides_of(dict(pairs)), self.data)
                check_stacks(recipe)
            except ConfigError as error:
                errors |= {pair: error for pair in pairs if pair not in errors}
            else:
                valid |= {*pairs}
        never = [error for pair, error in errors.items() if pair not in valid]
        if never:
            raise never[0]

    def _check_folder(self) -> None:
        if (self.folder / SWEEP_RECORD).exists():
            return
        names = ("checkpoints", WEIGHTS_FILE, FOLDS_RECORD, JOURNAL)
        found = next((name for name in names if (self.folder / name).exists()), None)
        if found:
            raise ConfigError(
                f"the folder {self.folder.name} contains {found}, and no sweep; expected an empty folder or that of a "
                "sweep. Choose another folder with --output FOLDER."
            )

    def _record(self) -> None:
        path, now = self.folder / SWEEP_RECORD, self._described()
        if not path.exists():
            replace_file(path, json.dumps(now, indent=1).encode(), "record of the sweep")
            return
        before = self._recorded(path)
        changes = {
            name: values
            for name, values in recipe_changes(before, now).items()
            if not any(fnmatchcase(name, f"recipe.{pattern}") for pattern in _MAY_CHANGE)
        }
        if changes:
            raise ConfigError(
                f"the folder {self.folder.name} contains another sweep: {describe_changes(changes)}; "
                "expected the same settings. Undo the change, or choose "
                "another folder with --output FOLDER."
            )

    def _recorded(self, path: Path) -> dict[str, Any]:
        try:
            before = dict(json.loads(path.read_text("utf-8")))
            with suppress_rename_warnings():  # settings that this version added have their defaults
                recipe = Recipe.model_validate(before["recipe"])
        except (OSError, ValueError, TypeError, KeyError):
            raise ConfigError(
                f"{SWEEP_RECORD} in the folder {self.folder.name} cannot be read; expected the record of a sweep. "
                "Restore it from a backup, or choose another folder with --output FOLDER."
            ) from None
        return {**before, "recipe": recipe.model_dump(mode="json")}

    def _described(self) -> dict[str, Any]:
        """Everything that the results depend on."""
        parameters = {name: _described_values(values) for name, values in self.space.items()}
        return {
            "parameters": parameters,
            "seeds": list(self.seeds),
            "sampler": self.sampler,
            "prune": self.prune,
            "recipe": self.settings.model_dump(mode="json"),
        }


def _ends(values: Any) -> tuple[str, ...]:
    listed = getattr(values, "options", None)
    return listed or (values.text(values.low), values.text(values.high))


def _described_values(values: Any) -> Any:
    return json.loads(json.dumps(vars(values)))
