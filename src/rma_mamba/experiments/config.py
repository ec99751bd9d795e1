"""What a benchmark compares: one TOML file, checked before anything is trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import pydantic
from pydantic import Field, model_validator

from rma_mamba.datasets.config import Settings
from rma_mamba.errors import ConfigError
from rma_mamba.training.bundled_toml import read_toml, shipped

_BENCHMARKS = "experiments/benchmarks"


class NetworkRow(Settings):
    """One row of the table."""

    name: str = Field(min_length=1)
    """Shown in tables and figures."""

    publication: str = ""
    """Where the network was published; shown beside its name."""

    recipe: str | None = None
    """Recipe of this row alone; None: the benchmark's. It has to name the same data."""

    model: str | None = None
    """One of `rma-mamba info`'s models; None: the recipe's."""

    settings: dict[str, Any] = Field(default={})
    """Changes to what the model's name stands for."""

    weights: str | None = None
    """File to start from, in the folder of weights that a run is given; without such a folder, and without a
    file, a network starts as its recipe says."""

    set: tuple[str, ...] = ()
    """Further settings of the recipe for this row, as "training.batch_size=8". Each is told below the tables,
    since it makes the comparison less equal."""

    @property
    def slug(self) -> str:
        """Name of the row's folder."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


class Benchmark(Settings):
    """Networks that are trained and scored on the same data."""

    title: str
    """Heading of the tables."""

    folder: str
    """Where everything goes: a folder each network, and the tables and figures."""

    recipe: str
    """Recipe that every row is trained by: a shipped name, or a TOML file relative to this one's folder."""

    group: str | None = None
    """Group of sources that the tables are about; None: the first that has volumes, else the first."""

    side: int = Field(default=256, ge=32)
    """Side of the image at which operations are counted and latency is measured."""

    panel_patients: int = Field(default=3, ge=0)
    """Patients in the qualitative panel: those on whom the networks differ most."""

    networks: tuple[NetworkRow, ...] = Field(min_length=1)
    """The rows, in their order. Paired tests compare each pair."""

    @model_validator(mode="after")
    def _rows_have_folders_of_their_own(self) -> Self:
        slugs = [row.slug for row in self.networks]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice or "" in slugs:
            raise ValueError(
                f"the networks' names give the folders {slugs}; expected a different one each"
            )
        return self


def bundled_benchmarks() -> list[str]:
    """Names of the benchmarks inside the package."""
    return shipped(_BENCHMARKS)


def load_benchmark(benchmark: str | Path) -> Benchmark:
    """Read a benchmark.

    Args:
        benchmark: A TOML file, or the name of a shipped one.

    Raises:
        ConfigError: There is none, it is no TOML, or a key or value is wrong.
    """
    path = Path(benchmark)
    try:
        found = Benchmark.model_validate(read_toml(benchmark, _BENCHMARKS, "benchmark"))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its networks"
        raise ConfigError(
            f"the benchmark's setting '{where}' is wrong; expected: {first['msg']}. Change it."
        ) from None
    return found.model_copy(
        update={
            "recipe": _beside(path, found.recipe),
            "networks": tuple(
                row.model_copy(update={"recipe": row.recipe and _beside(path, row.recipe)})
                for row in found.networks
            ),
        }
    )


def _beside(benchmark: Path, recipe: str) -> str:
    """A recipe file is relative to the benchmark's folder; a name stays a name."""
    return str(benchmark.parent / recipe) if recipe.endswith(".toml") else recipe
