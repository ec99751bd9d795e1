"""One network of a benchmark: its recipe, training run and scores, each reused if already complete."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from rma_mamba.conventions import Postprocessing
from rma_mamba.errors import ConfigError, is_out_of_memory
from rma_mamba.evaluation import CaseScore, score_patients
from rma_mamba.experiments.config import Benchmark, NetworkRow
from rma_mamba.experiments.old_fingerprint import recipe_with_old_keys
from rma_mamba.experiments.score_cache import fingerprint, load_scores, save_scores
from rma_mamba.files import remove_outdated, replace_file
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.training import (
    WEIGHTS_FILE,
    Recipe,
    load_recipe,
    require_training_packages,
    train,
)
from rma_mamba.training.run_errors import LossError

_NO_MEMORY = (
    "memory ran out; expected enough for a batch. Lower training.batch_size and raise training.accumulate with "
    "--set, for all networks."
)

Note = Callable[[str], None]  # receives progress messages

_SCORES, _MARKER, _FAILURE = "scores.json", "benchmark.json", "not_trained.json"
_SCORING = 3  # changes whenever equal weights get other masks or scores: stored ones are then computed again


@dataclass(frozen=True)
class RunOptions:
    """Options that apply to all networks of a benchmark.

    Args:
        folder: Output folder of the benchmark.
        overrides: Recipe settings from the command line.
        data: A TOML file whose data replace those of the recipes; None: the recipes' own.
        quiet: Hide progress bars.
        note: Receives progress messages.
        lenient: Train in spite of errors in the data.
        remarks: Remarks on the data for readers of the tables, one sentence each.
    """

    folder: Path
    overrides: Sequence[str]
    data: Path | None
    quiet: bool
    note: Note
    remarks: tuple[str, ...] = ()
    lenient: bool = False


@dataclass(frozen=True)
class NetworkRun:
    """A training run of one network.

    Args:
        row: The network's row in the benchmark.
        base: Recipe file or bundled name that the run is based on.
        overrides: Changes to that recipe.
        recipe: The resulting recipe.
        options: Options of the benchmark.
        seed: Seed of this run, if the network has several; None: it has one, with the seed of its recipe.
    """

    row: NetworkRow
    base: str
    overrides: tuple[str, ...]
    recipe: Recipe
    options: RunOptions
    seed: int | None = None

    @classmethod
    def of(
        cls, benchmark: Benchmark, row: NetworkRow, options: RunOptions, seed: int | None = None
    ) -> NetworkRun:
        """Load and check the recipe of a training run.

        Raises:
            ConfigError: The recipe or a setting of the network is invalid.
        """
        base = row.recipe or benchmark.recipe
        overrides = _overrides(row, options, seed)
        recipe = load_recipe(base, overrides, options.data)
        with torch.device("meta"):  # finds invalid settings without allocating memory
            create_model(recipe.model.name, **recipe.network_settings)
        found = cls(row, base, overrides, recipe, options, seed)
        placed = (*overrides, f"run.folder={json.dumps(str(found._place()))}")
        return replace(found, overrides=placed, recipe=load_recipe(base, placed, options.data))

    @classmethod
    def all_of(cls, benchmark: Benchmark, row: NetworkRow, options: RunOptions) -> list[NetworkRun]:
        """All training runs of a network.

        Raises:
            ConfigError: The recipe or a setting of the network is invalid, or its seed is stated twice.
        """
        own = cls.of(benchmark, row, options)
        if not benchmark.seeds and benchmark.runs == 1:
            return [own]
        if benchmark.seeds and _sets(own.overrides, "run.seed"):
            raise ConfigError(
                f"the benchmark has seeds, and run.seed of {row.name} is set as well; expected one of them. Remove "
                "run.seed from --set and from the settings of the network, or use runs in place of seeds."
            )
        seeds = benchmark.seeds_of(own.recipe.run.seed)
        return [cls.of(benchmark, row, options, seed) for seed in seeds]

    @property
    def name(self) -> str:
        """Name of the run in messages."""
        return self.row.name if self.seed is None else f"{self.row.name}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Run folder."""
        return Path(self.recipe.run.folder)

    def _place(self) -> Path:
        """Where the run is, or will be: a run of a network with one run and of one with several is the same run."""
        alone = self.options.folder / self.row.slug
        among = alone / f"seed-{self.recipe.run.seed}"
        first, second = (alone, among) if self.seed is None else (among, alone)
        moved = not (first / _MARKER).exists() and (second / _MARKER).exists()
        return second if moved and _recorded(second / _MARKER) in self._recipe_keys() else first

    @property
    def weights(self) -> Path:
        """Weights file of the network; exists once it is trained."""
        return self.folder / WEIGHTS_FILE

    def random_model(self) -> nn.Module:
        """The network with random weights, which is sufficient for measuring its costs."""
        return create_model(self.recipe.model.name, **self.recipe.network_settings)

    def check(self) -> bool:
        """Whether the network is still to be trained.

        Raises:
            ConfigError: The run folder contains a training run with another recipe.
        """
        marker = self.folder / _MARKER
        if marker.exists() and _recorded(marker) not in self._recipe_keys():
            raise ConfigError(
                f"the folder of {self.name} contains a training run with another recipe; expected the same "
                "recipe or an empty folder. Choose another folder with --output, or remove that run."
            )
        return not self.weights.exists()

    @property
    def failure(self) -> str | None:
        """Why the last attempt to train the network failed; None: it did not, or there was none."""
        return _recorded(self.folder / _FAILURE, "reason")

    def train(self) -> str | None:
        """Train the network, or resume its training run, unless it is already trained.

        Returns:
            A sentence about a loss that is no longer finite, or about memory that ran out; None: it is trained.

        Raises:
            BackendError: A package of the extra `train` is not installed.
            ConfigError: The run folder contains a training run with another recipe.
        """
        if not self.check():
            self.options.note(f"{self.name}: already trained")
            return None
        require_training_packages()
        key, _ = self._recipe_keys()
        replace_file(self.folder / _MARKER, json.dumps({"recipe": key}).encode(), "benchmark")
        remove_outdated(self.folder / _FAILURE, "failure")
        self.options.note(f"{self.name}: training")
        try:
            train(
                self.base,
                self.overrides,
                resume=True,
                data=self.options.data,
                quiet=self.options.quiet,
                lenient=self.options.lenient,
            )
        except LossError as error:
            return self._failed(error.brief, str(error))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return self._failed("memory ran out", _NO_MEMORY)
        return None

    def _failed(self, reason: str, message: str) -> str:
        replace_file(self.folder / _FAILURE, json.dumps({"reason": reason}).encode(), "failure")
        self.options.note(f"{self.name}: not trained")
        return f"{self.name} was not trained: {message}"

    def score(self, postprocessing: Postprocessing = "standard") -> list[CaseScore]:
        """Score the trained network on the test split, or load its stored scores.

        Args:
            postprocessing: What is removed from the masks that are scored per volume.
        """
        name, data = self.row.name, self.recipe.data
        settings = data.model_dump(mode="json")
        weights = self.weights.read_bytes()
        key = fingerprint(weights, settings, name, postprocessing, _SCORING)
        cases = load_scores(self.folder / _SCORES, key)
        if cases is None:
            cases = []
            segmenter = Segmenter.load(self.weights, postprocessing=postprocessing)
            for patient in score_patients(segmenter, data, "test", method=name):
                place = f"{patient.source}, patient {patient.patient}"
                self.options.note(f"{self.name}: {place}: Dice {patient.dice:.3f}")
                cases += patient.cases
            save_scores(self.folder / _SCORES, key, cases)
        # stored without the run: the same scores serve a benchmark with one run and one with several
        return [replace(case, run=self.seed) for case in cases]

    def _recipe_keys(self) -> tuple[str, str]:
        """Fingerprints of the recipe except its run folder: as of now, and as of rma-mamba 0.1."""
        recipe = self.recipe.model_dump(mode="json", exclude={"run": {"folder"}})
        return fingerprint(recipe), fingerprint(recipe_with_old_keys(recipe))


def _recorded(marker: Path, key: str = "recipe") -> str | None:
    """What a file of a run folder states, such as the fingerprint of its recipe; None if it is missing or damaged."""
    try:
        return str(json.loads(marker.read_text())[key])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _overrides(row: NetworkRow, options: RunOptions, seed: int | None) -> tuple[str, ...]:
    """Changes to the recipe for one training run; those of the command line come last and take precedence."""
    own = []
    if row.model is not None:
        own += [f'model.name="{row.model}"', "model.settings={}"]
    own += [f"model.settings.{name}={json.dumps(value)}" for name, value in row.settings.items()]
    if row.weights is not None:
        own.append(f"model.weights={json.dumps(row.weights)}")
    of_run = () if seed is None else (f"run.seed={seed}",)
    return (*own, *row.set, *options.overrides, *of_run)


def _sets(overrides: Sequence[str], name: str) -> bool:
    return any(each.partition("=")[0].strip() == name for each in overrides)
