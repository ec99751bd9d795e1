"""`rma-mamba sweep`: find the best values of a few settings of a recipe."""

from __future__ import annotations

import json

import typer

from rma_mamba.cli import shared_options as shared
from rma_mamba.cli import sweep_options as own
from rma_mamba.cli.console import Console
from rma_mamba.cli.seed_values import parse_seeds
from rma_mamba.extras import require_extra
from rma_mamba.standard_streams import progress_on_stderr


def sweep(
    recipe: own.SweepRecipe,
    parameters: own.Parameters,
    trials: own.Trials = 20,
    seeds: own.SweepSeeds = None,
    sampler: own.SamplerName = "tpe",
    prune: own.Prune = False,
    settings: shared.Settings = None,
    data: shared.PreparedData = None,
    output: own.SweepFolder = None,
    lenient: shared.Lenient = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Find good values of a few settings of a recipe.

    Train the recipe with different values, print a Markdown table and write the best recipe. An interrupted sweep
    continues where it stopped.
    """
    require_extra("optuna", "sweep", "a sweep")
    from rma_mamba.experiments.sweep import SweepPlan, run_sweep

    folder = [f"run.folder={json.dumps(str(output))}"] if output else []
    note = Console(quiet, verbose).note
    with progress_on_stderr():
        plan = SweepPlan.of(
            recipe,
            parameters,
            [*(settings or []), *folder],
            data=data,
            seeds=parse_seeds(seeds) or (),
            sampler=sampler,
            prune=prune,
        )
        text = run_sweep(plan, trials, quiet=quiet, note=note, lenient=lenient)
    typer.echo(text)
