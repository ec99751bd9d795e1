"""`rma-mamba benchmark`: networks under one recipe, trained, scored and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import PreparedData, QuietTables, Verbose


def benchmark(
    benchmark: Annotated[
        str,
        typer.Argument(
            help="A TOML file, or a shipped one: ablation, chaos_mini, cirrmri600_t2, lits."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one setting of all recipes."),
    ] = None,
    data: PreparedData = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder, instead of the file's own.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="Folder of the files that networks start from."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Train this network; may be repeated.")
    ] = None,
    quiet: QuietTables = False,
    verbose: Verbose = False,
) -> None:
    """Train and score networks on one dataset; prints the tables. Goes on where it stopped."""
    from rma_mamba.experiments import load_benchmark, run_benchmark

    console = Console(quiet, verbose)
    text = run_benchmark(
        load_benchmark(benchmark),
        settings or [],
        folder=output,
        data=data,
        weights=weights,
        only=only or [],
        quiet=quiet,
        note=console.note,
    )
    typer.echo(text)
