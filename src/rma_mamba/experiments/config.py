"""The settings of a benchmark: one TOML file, validated before any network is trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import pydantic
from pydantic import Field, model_validator

from rma_mamba.conventions import Postprocessing
from rma_mamba.datasets.settings import Settings
from rma_mamba.deprecation import with_renamed_keys
from rma_mamba.setting_errors import as_config_error
from rma_mamba.training.bundled_toml import bundled_names, read_toml

_BENCHMARKS = "experiments/benchmarks"


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
    """What is removed from the masks that are scored per volume: "standard" (small or distant components, and CT
    numbers of gas, fat and bone), as `rma-mamba segment` does, or "none". The paper's protocol always scores the raw
    threshold."""

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
    try:
        found = Benchmark.model_validate(read_toml(benchmark, _BENCHMARKS, "benchmark"))
    except pydantic.ValidationError as error:
        raise as_config_error(error, Benchmark, "the benchmark") from None
    return found.model_copy(
        update={
            "recipe": _resolved(path, found.recipe),
            "networks": tuple(
                row.model_copy(update={"recipe": row.recipe and _resolved(path, row.recipe)})
                for row in found.networks
            ),
        }
    )


def _resolved(benchmark: Path, recipe: str) -> str:
    """A recipe file is relative to the benchmark's folder; a bundled name is unchanged."""
    return str(benchmark.parent / recipe) if recipe.endswith(".toml") else recipe
