"""`rma-mamba benchmark`: train, score and compare networks under one recipe."""

from __future__ import annotations

import typer

from rma_mamba.cli import benchmark_options as own
from rma_mamba.cli import shared_options as shared
from rma_mamba.cli.console import Console
from rma_mamba.cli.seed_values import parse_seeds
from rma_mamba.pipeline.exit_codes import ExitCode
from rma_mamba.standard_streams import progress_on_stderr


def benchmark(
    benchmark: own.BenchmarkName,
    settings: shared.Settings = None,
    data: shared.PreparedData = None,
    output: own.BenchmarkFolder = None,
    weights: own.InitialWeights = None,
    only: shared.OnlyNetworks = None,
    runs: own.Runs = None,
    seeds: own.Seeds = None,
    lenient: shared.Lenient = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Train, score and compare networks on one dataset.

    Print Markdown tables. An interrupted benchmark continues where it stopped. The exit code is 3 if networks could
    not be trained, because their loss was no longer finite or memory ran out; the others are compared.
    """
    from rma_mamba.training import require_training_packages

    require_training_packages()
    from rma_mamba.experiments import load_benchmark, run_benchmark

    console, failed = Console(quiet, verbose), list[str]()
    chosen = load_benchmark(benchmark).with_runs(runs, parse_seeds(seeds))
    with progress_on_stderr():
        text = run_benchmark(
            chosen,
            settings or [],
            folder=output,
            data=data,
            weights=weights,
            only=only or [],
            quiet=quiet,
            note=console.note,
            warn=console.warn,
            lenient=lenient,
            on_failure=failed.append,
        )
    typer.echo(text)
    for sentence in failed:
        console.fail(sentence)
    raise typer.Exit(ExitCode.SOME_CASES_FAILED if failed else ExitCode.OK)
