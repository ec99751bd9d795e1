"""`rma-mamba evaluate`: score a network on the patients of one split."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rma_mamba.cli import shared_options as shared
from rma_mamba.cli.console import Console
from rma_mamba.cli.deprecations import renamed_option
from rma_mamba.cli.fold_option import Folds
from rma_mamba.cli.scan_options import Model


def evaluate(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="TOML file, or name of a bundled recipe.")
    ],
    model: Model = "default",
    split: shared.ScoredSplit = None,
    side: Annotated[Literal["valid", "val", "test"] | None, typer.Option(hidden=True)] = None,
    folds: Folds = None,
    settings: shared.Settings = None,
    data: shared.PreparedData = None,
    neighbours: shared.Neighbours = None,
    postprocessing: shared.Postprocessing = "standard",
    output: shared.ScoreFolder = None,
    lenient: shared.Lenient = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
) -> None:
    """Score a network on the patients of a split.

    Print Markdown tables: each patient, and the summary. With --folds, each patient is scored by the network of the
    fold in which the patient was held out; with --split test, the ensemble of all folds is scored.
    """
    from rma_mamba.cli.evaluation_run import network_scores
    from rma_mamba.cli.fold_tables import fold_tables
    from rma_mamba.cli.score_output import check_tables, print_and_write

    console = Console(quiet, verbose)
    check_tables(output)
    chosen = renamed_option("--side", side, "--split", split)
    given, options = (recipe, settings or [], data), (neighbours, postprocessing)
    if folds is None:
        scores = network_scores(
            given, model, chosen, options, console, lenient=lenient, record=output
        )
    else:
        plan = given, folds, chosen
        scores = fold_tables(*plan, model, options, console, lenient=lenient, record=output)
    print_and_write([case for score in scores for case in score.cases], output, console)
