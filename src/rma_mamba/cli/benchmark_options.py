"""The options of `rma-mamba benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BenchmarkName = Annotated[
    str,
    typer.Argument(
        metavar="BENCHMARK",
        help="TOML file, or a bundled one: ablation, chaos_mini, cirrmri600_t2, lits, options_ct, options_mr.",
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
