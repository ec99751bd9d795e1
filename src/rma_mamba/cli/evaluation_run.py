"""`rma-mamba evaluate` of one network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import typer

from rma_mamba.cli.console import Console
from rma_mamba.conventions import Postprocessing
from rma_mamba.evaluation import PatientScore, patients_to_markdown, score_patients
from rma_mamba.evaluation.patient_scores import check_split

Options = tuple[bool | None, Postprocessing]  # neighbours, post-processing
_BUNDLED = "the bundled network is scored, not the one that was trained with this recipe: for that"
Given = tuple[str, list[str], Path | None]  # recipe, settings, data


def network_scores(
    given: Given,
    model: str,
    split: str | None,
    options: Options,
    console: Console,
    *,
    lenient: bool = False,
    record: Path | None = None,
) -> list[PatientScore]:
    """Score a network and print the table of patients.

    Raises:
        DataError: The quick check of the data found errors, and `lenient` is false.
    """
    from rma_mamba.datasets.audit import require_sound_data
    from rma_mamba.inference import Segmenter
    from rma_mamba.training import WEIGHTS_FILE, load_recipe

    recipe = load_recipe(*given)
    config, trained = recipe.data, Path(recipe.run.folder) / WEIGHTS_FILE
    if model == "default" and trained.is_file():
        console.warn([f"{_BUNDLED}, add -m {trained}"])
    patients: Literal["val", "test"] = "test" if split in (None, "test") else "val"
    check_split(config, patients)
    segmenter = Segmenter.load(model, postprocessing=options[1])
    if options[0] is not None:
        segmenter = segmenter.with_recipe(neighbours=options[0])
    require_sound_data(config, (patients,), lenient=lenient, warn=console.warn, record=record)
    scores: list[PatientScore] = []
    for score in score_patients(segmenter, config, patients, method=Path(model).stem):
        console.note(score_line(score))
        scores.append(score)
    typer.echo(f"{patients_to_markdown(scores)}\n")
    return scores


def score_line(score: PatientScore) -> str:
    """A line of progress."""
    return f"{score.source}, patient {score.patient}: Dice {score.dice:.3f}"
