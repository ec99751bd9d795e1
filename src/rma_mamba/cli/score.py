"""`rma-mamba score`: masks of any tool against references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.options import Tables, Verbose


def score(
    reference: Annotated[Path, typer.Argument(help="Folder of reference masks, or one mask.")],
    predictions: Annotated[
        list[Path], typer.Argument(help="For each method a folder of masks, or one mask.")
    ],
    output: Tables = None,
    labels: Annotated[
        list[int] | None, typer.Option("--label", help="A label that is liver.  [default: any > 0]")
    ] = None,
    prediction_labels: Annotated[
        list[int] | None,
        typer.Option("--prediction-label", help="The same for predictions.  [default: as --label]"),
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Finds the patient in a file name: its first group."),
    ] = None,
    missing_as_empty: Annotated[
        bool, typer.Option("--missing-as-empty", help="Score a missing prediction as an empty one.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but tables, warnings and errors.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Score masks of any tool against references; several methods are tested against each other."""
    from rma_mamba.cli.scores import check_folder, publish
    from rma_mamba.evaluation import pair_masks, score_pairs

    console = Console(quiet, verbose)
    check_folder(output)
    pairing = pair_masks(reference, predictions, patient=patient, missing_as_empty=missing_as_empty)
    console.warn(pairing.remarks)
    warnings: list[str] = []
    with console.progress("scoring") as progress:
        cases = list(
            score_pairs(
                pairing,
                labels or (),
                prediction_labels or None,
                progress=progress,
                warn=warnings.append,
            )
        )
    console.warn(warnings)
    publish(cases, output, console)
