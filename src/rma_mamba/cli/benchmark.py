"""`rma-mamba benchmark`: train, score and compare networks under one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli import shared_options as shared
from rma_mamba.cli.console import Console
from rma_mamba.standard_streams import progress_on_stderr


def benchmark(
    benchmark: Annotated[
        str,
        typer.Argument(
            metavar="BENCHMARK",
            help="TOML file, or a bundled one: ablation, chaos_mini, cirrmri600_t2, lits.",
        ),
    ],
    settings: shared.Settings = None,
    data: shared.PreparedData = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Output folder; overrides the benchmark's."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FOLDER", help="Folder of initial weights.")
    ] = None,
    only: shared.OnlyNetworks = None,
    lenient: shared.Lenient = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Train, score and compare networks on one dataset.

    Print Markdown tables. An interrupted benchmark continues where it stopped.
    """
    from rma_mamba.experiments import load_benchmark, run_benchmark

    note = Console(quiet, verbose).note
    with progress_on_stderr():
        text = run_benchmark(
            load_benchmark(benchmark),
            settings or [],
            folder=output,
            data=data,
            weights=weights,
            only=only or [],
            quiet=quiet,
            note=note,
            lenient=lenient,
        )
    typer.echo(text)
