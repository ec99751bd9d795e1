"""Run an export of reviewed cases, and print what was exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rma_mamba.cli.console import Console
from rma_mamba.pipeline.exit_codes import ExitCode


def run_export(
    folder: Path,
    out: Path,
    scans: Path | None,
    states: Sequence[str] | None,
    patient: str | None,
    folds: int,
    console: Console,
) -> tuple[str, ExitCode]:
    """The path of the data table and the exit code, after notes on what was exported."""
    from rma_mamba.datasets.prepare import RECIPE_DATA
    from rma_mamba.pipeline.review.training_dataset import ExportOptions, export_training_dataset

    options = ExportOptions(scans, patient=patient, folds=folds)
    if states:
        options = ExportOptions(scans, tuple(states), patient, folds)
    failed: dict[str, str] = {}
    with console.progress("Writing") as progress:
        manifest = export_training_dataset(folder, out, options, progress, failed.__setitem__)
    excluded = {case: why for case, why in manifest.left_out.items() if case not in failed}
    console.warn(f"excluded: {case}: {why}" for case, why in excluded.items())
    console.warn(manifest.notes)
    slices = sum(case.slices_with_liver for case in manifest.cases)
    console.note(f"{len(manifest.cases)} reviewed cases, {slices} slices with liver")
    for why in failed.values():
        console.fail(why)
    return str(out / RECIPE_DATA), ExitCode.SOME_CASES_FAILED if failed else ExitCode.OK
