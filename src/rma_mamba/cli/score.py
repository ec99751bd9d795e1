"""`rma-mamba score`: score masks made by any tool against reference masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rma_mamba.cli.class_options import Classes, parse_classes
from rma_mamba.cli.console import Console
from rma_mamba.cli.label_options import Labels, PatientPattern, PredictionLabels, ScanOfMasks
from rma_mamba.cli.shared_options import Quiet, ScoreFolder, Verbose


def score(
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="Reference mask, or folder of masks.")
    ],
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTION", help="Predicted mask, or folder of masks, of each method."
        ),
    ],
    output: ScoreFolder = None,
    labels: Labels = None,
    prediction_labels: PredictionLabels = None,
    classes: Classes = None,
    scan: ScanOfMasks = None,
    patient: PatientPattern = None,
    missing_as_empty: Annotated[
        bool, typer.Option("--missing-as-empty", help="Score missing predictions as empty masks.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score masks against reference masks.

    Print Markdown tables; with several methods, also paired tests between them.
    """
    from rma_mamba.cli.score_output import check_tables, print_and_write
    from rma_mamba.evaluation import pair_masks, score_pairs
    from rma_mamba.evaluation.mask_scoring import grid_of_scan

    console = Console(quiet, verbose)
    check_tables(output)
    pairing = pair_masks(reference, predictions, patient=patient, missing_as_empty=missing_as_empty)
    console.warn(pairing.remarks)
    warnings: list[str] = []
    values = labels or (), prediction_labels or None, parse_classes(classes, stated=True)
    grid = grid_of_scan(scan, pairing)
    with console.progress("Scoring") as progress:
        cases = list(score_pairs(pairing, *values, grid, progress=progress, warn=warnings.append))
    console.warn(warnings)
    print_and_write(cases, output, console)
