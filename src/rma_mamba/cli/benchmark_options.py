"""The options of `rma-mamba benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.errors import ConfigError

BenchmarkName = Annotated[
    str,
    typer.Argument(
        metavar="BENCHMARK",
        help="TOML file, or a bundled one: ablation, chaos_mini, cirrmri600_t2, lits.",
    ),
]
BenchmarkFolder = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Output folder; overrides the benchmark's."
    ),
]
InitialWeights = Annotated[
    Path | None, typer.Option("--weights", metavar="FOLDER", help="Folder of initial weights.")
]
Runs = Annotated[
    int | None,
    typer.Option(
        "--runs", min=1, metavar="N", help="Train each network N times, with consecutive seeds."
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option("--seeds", metavar="N,N,...", help="Train each network once with each seed."),
]


def parse_seeds(text: str | None) -> list[int] | None:
    """`1,2,3` or `1 2 3` as numbers. The benchmark checks that they differ.

    Raises:
        ConfigError: The text is not a list of whole numbers from 0.
    """
    if text is None:
        return None
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigError(
            f"the seeds are '{text}'; expected whole numbers from 0, separated by commas. Write --seeds 1,2,3, "
            "for example."
        )
    return [int(part) for part in parts]
