"""`rma-mamba evaluate --folds`: the networks of a cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.cli.evaluation_run import Given, Options, score_line
from rma_mamba.errors import ConfigError
from rma_mamba.evaluation import PatientScore, patients_to_markdown


def fold_tables(
    given: Given,
    folds: int,
    split: str | None,
    model: str,
    options: Options,
    console: Console,
    *,
    lenient: bool = False,
    record: Path | None = None,
) -> list[PatientScore]:
    """Score a cross-validation and print the tables of folds and patients.

    Raises:
        ConfigError: A model was chosen, and others as in `score_folds`.
        DataError: The quick check of the data found errors, and `lenient` is false.
    """
    from rma_mamba import experiments
    from rma_mamba.training import CrossValidation

    if model != "default":
        raise ConfigError(
            "--folds scores the networks of the cross-validation; expected no --model beside it. Omit one of them."
        )
    recipe, settings, data = given
    neighbours, postprocessing = options
    if neighbours is not None:
        raise ConfigError(
            "--folds scores the networks as they were trained; expected no --neighbours beside it. Omit it."
        )
    plan = CrossValidation.of(recipe, folds, settings, data)
    patients_of: Literal["val", "test"] = "test" if split == "test" else "val"
    experiments.trained_folds(plan, patients_of)
    console.warn(experiments.require_sound_folds(plan, patients_of, lenient=lenient, record=record))
    scores = []
    for score in experiments.score_folds(plan, patients_of, postprocessing):
        fold = "ensemble" if score.fold is None else f"fold {score.fold}"
        console.note(f"{fold}: {score_line(score.patient)}")
        scores.append(score)
    patients = [score.patient for score in scores]
    tables = [experiments.folds_to_markdown(scores), patients_to_markdown(patients)]
    typer.echo("\n\n".join(table for table in tables if table) + "\n")
    return patients
