"""The settings of a benchmark: one TOML file, validated before any network is trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
from pydantic import Field, model_validator

from rma_mamba.conventions import Postprocessing
from rma_mamba.datasets.settings import Settings
from rma_mamba.deprecation import with_renamed_keys
from rma_mamba.errors import ConfigError
from rma_mamba.setting_errors import as_config_error
from rma_mamba.training.bundled_toml import bundled_names, read_toml

_BENCHMARKS = "experiments/benchmarks"


Seed = Annotated[int, Field(ge=0)]


class NetworkRow(Settings):
    """One network of a benchmark: a row of its tables."""

    name: str = Field(min_length=1)
    """Name in tables and figures."""

    publication: str = ""
    """Where the network was published, shown next to its name. Empty: not shown."""

    recipe: str | None = None
    """Recipe of this network only; it has to describe the same data. None: the recipe of the benchmark."""

    model: str | None = None
    """Name of the network, as listed by `rma-mamba info`. None: the network of the recipe."""

    settings: dict[str, Any] = Field(default={})
    """Changes to the preset of that name. Empty: the preset."""

    weights: str | None = None
    """File name of the initial weights, inside the folder passed with --weights. Without that folder, or
    if None, the network starts as its recipe specifies."""

    set: tuple[str, ...] = ()
    """Further settings of the recipe for this network only, such as "training.batch_size=8". They are listed below
    the tables, because they make the comparison less fair. Empty: none."""

    @property
    def slug(self) -> str:
        """Name of the network's folder."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


class Benchmark(Settings):
    """Networks that are trained and scored on the same data."""

    title: str
    """Heading of the tables."""

    folder: str
    """Output folder; it contains a run folder per network, and the tables and figures."""

    recipe: str
    """Recipe that all networks are trained with: a bundled recipe, or a TOML file relative to this one's folder."""

    group: str | tuple[str, ...] | None = None
    """Group of sources that the tables show, or several in order of preference: the first one with test patients.
    None, or other data passed with --data that contain none of them: the first group of volumes or, without volumes,
    the first group."""

    image_size: int = Field(default=256, ge=32)
    """Height and width, in pixels, of the image with which operations and latency are measured."""

    panel_patients: int = Field(default=3, ge=0)
    """Number of patients in the figure of example slices: those with the largest differences between networks."""

    postprocessing: Postprocessing = "standard"
    """What is removed from the masks that are scored per volume: "standard" (small or distant components, and
    lung, gas, fat and bone), as `rma-mamba segment` does, or "none". The paper's protocol always scores the raw
    threshold."""

    runs: int = Field(default=1, ge=1)
    """Number of training runs of each network, with the seed of its recipe, the next one, and so on. Tables show the
    mean and the standard deviation over runs, and intervals over patients and runs."""

    seeds: tuple[Seed, ...] = ()
    """Seeds of the training runs of each network, in place of `runs`. Empty: as many as `runs`."""

    networks: tuple[NetworkRow, ...] = Field(min_length=1)
    """The networks, in the order of the tables. All pairs are compared with paired tests."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_keys(cls, data: Any) -> Any:
        return with_renamed_keys(data, {"side": "image_size"})

    @model_validator(mode="after")
    def _check_folders(self) -> Self:
        slugs = [row.slug for row in self.networks]
        if len(set(slugs)) < len(slugs) or "" in slugs:
            raise ValueError(
                f"the names of the networks give the folders {slugs}; expected a different one for each"
            )
        return self

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(
                f"the seeds are {_listed(self.seeds)}; expected a different one for each training run"
            )
        if self.seeds and self.runs not in (1, len(self.seeds)):
            raise ValueError(
                f"runs is {self.runs}, and there are {len(self.seeds)} seeds; expected one of the two settings"
            )
        return self

    def with_runs(self, runs: int | None = None, seeds: Sequence[int] | None = None) -> Benchmark:
        """The benchmark with other training runs; None for both: its own.

        Raises:
            ConfigError: Both are given, or they are invalid.
        """
        if runs is None and seeds is None:
            return self
        if runs is not None and seeds is not None:
            raise ConfigError(
                "both the number of runs and their seeds were given; expected one of them. Omit --runs or --seeds."
            )
        content = {**self.model_dump(), "runs": 1 if runs is None else runs, "seeds": seeds or ()}
        return _validated(content)

    def seeds_of(self, own: int) -> tuple[int, ...]:
        """Seeds of the training runs of a network.

        Args:
            own: The seed of its recipe.
        """
        return self.seeds or tuple(range(own, own + self.runs))


def bundled_benchmarks() -> list[str]:
    """Names of the bundled benchmarks."""
    return bundled_names(_BENCHMARKS)


def load_benchmark(benchmark: str | Path) -> Benchmark:
    """Read a benchmark.

    Args:
        benchmark: A TOML file, or the name of a bundled benchmark.

    Raises:
        ConfigError: The file does not exist or is not valid TOML, or a setting is unknown or invalid.
    """
    path = Path(benchmark)
    found = _validated(read_toml(benchmark, _BENCHMARKS, "benchmark"))
    return found.model_copy(
        update={
            "recipe": _resolved(path, found.recipe),
            "networks": tuple(
                row.model_copy(update={"recipe": row.recipe and _resolved(path, row.recipe)})
                for row in found.networks
            ),
        }
    )


def _validated(content: Mapping[str, Any]) -> Benchmark:
    try:
        return Benchmark.model_validate(content)
    except pydantic.ValidationError as error:
        raise as_config_error(error, Benchmark, "the benchmark") from None


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _resolved(benchmark: Path, recipe: str) -> str:
    """A recipe file is relative to the benchmark's folder; a bundled name is unchanged."""
    return str(benchmark.parent / recipe) if recipe.endswith(".toml") else recipe
