"""Scores of a cross-validation: each patient is scored with the network that was not trained on that patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rma_mamba.conventions import Postprocessing
from rma_mamba.datasets.audit import require_sound_data
from rma_mamba.errors import WeightsError
from rma_mamba.evaluation import PatientScore, score_patients
from rma_mamba.evaluation.patient_scores import check_split
from rma_mamba.inference import Segmenter
from rma_mamba.training import WEIGHTS_FILE, CrossValidation, fold_weights

_METHOD = "folds"  # in tables; the ensemble is "ensemble"


@dataclass(frozen=True)
class FoldScore:
    """The scores of one patient.

    Args:
        fold: Fold whose network was scored; None: the ensemble of all folds.
        patient: The scores.
    """

    fold: int | None
    patient: PatientScore


def require_sound_folds(
    plan: CrossValidation,
    split: Literal["val", "test"] = "val",
    *,
    lenient: bool = False,
    record: Path | None = None,
) -> list[str]:
    """Check the data of all folds before the first is scored; see `require_sound_data`.

    Args:
        plan: The cross-validation.
        split: As in `score_folds`.
        lenient: Return the errors with the warnings, one sentence each.
        record: Folder in which lenient checks write their errors; None: they are not written.

    Raises:
        DataError: There are errors, and `lenient` is false.
        ConfigError: A folder is missing, or the recipe does not fit the data.
        ScanError: The record cannot be written.
    """
    recipes = [plan.settings] if split == "test" else map(plan.recipe_of, range(plan.folds))
    found: list[str] = []
    data = [recipe.data for recipe in recipes]
    require_sound_data(data, (split,), lenient=lenient, warn=found.extend, record=record)
    return found


def trained_folds(plan: CrossValidation, split: Literal["val", "test"] = "val") -> list[Path]:
    """The weights of all folds, after a check that there are patients to score with them.

    Args:
        plan: The cross-validation.
        split: As in `score_folds`.

    Raises:
        ConfigError: The folder contains no cross-validation, or one with other folds; or the test split is empty.
        WeightsError: A fold is not complete.
    """
    plan.check_record()
    if split == "test":
        check_split(plan.settings.data, split)
    weights = fold_weights(plan)
    missing = [path.parent.name for path in weights if not path.exists()]
    if missing:
        raise WeightsError(
            f"the cross-validation has no weights of {', '.join(missing)}; expected those of all {plan.folds} folds. "
            "Complete it with rma-mamba train --folds --resume."
        )
    return weights


def score_folds(
    plan: CrossValidation,
    split: Literal["val", "test"] = "val",
    postprocessing: Postprocessing = "standard",
) -> Iterator[FoldScore]:
    """Score a cross-validation.

    Args:
        plan: The cross-validation, trained.
        split: "val": each patient of the folds with the network of the fold in which the patient was held out. "test":
            the patients of the test split with the ensemble of all folds.
        postprocessing: As in `Segmenter`.

    Raises:
        ConfigError: The folder contains no cross-validation, or one with other folds.
        WeightsError: A fold is not complete, or its weights are corrupt.
        ScanError, GridError: As in `score_patients`.
    """
    weights = trained_folds(plan, split)
    if split == "test":
        ensemble = Segmenter.load(plan.folder / WEIGHTS_FILE, postprocessing=postprocessing)
        for patient in score_patients(ensemble, plan.settings.data, "test", method="ensemble"):
            yield FoldScore(None, patient)
        return
    for fold, path in enumerate(weights):
        data = plan.recipe_of(fold).data
        folded = {source.name for source in data.sources if source.dataset in plan.datasets}
        segmenter = Segmenter.load(path, postprocessing=postprocessing)
        for patient in score_patients(segmenter, data, "val", method=_METHOD):
            if patient.source in folded:
                yield FoldScore(fold, patient)


def folds_to_markdown(scores: Sequence[FoldScore]) -> str:
    """A row per fold with the mean Dice over its patients, then mean and standard deviation over the folds.

    A patient's Dice is the mean over the volumes, or liver-containing slices, of that patient. Empty without folds.
    """
    means: dict[int, list[float]] = {}
    for fold in dict.fromkeys(score.fold for score in scores if score.fold is not None):
        patients = _patient_dice([score.patient for score in scores if score.fold == fold])
        means[fold] = patients
    if not means:
        return ""
    lines = ["| fold | patients | mean Dice over patients |", "|---|---|---|"]
    lines += [f"| {fold} | {len(each)} | {_text(each)} |" for fold, each in means.items()]
    of_folds = [float(np.mean(each)) for each in means.values() if each]
    if len(of_folds) > 1:
        deviation = float(np.std(of_folds, ddof=1))
        count = sum(map(len, means.values()))
        lines.append(f"| mean ± SD over folds | {count} | {_text(of_folds)} ± {deviation:.3f} |")
    return "\n".join(lines)


def _patient_dice(scores: Sequence[PatientScore]) -> list[float]:
    """Dice of each patient; patients whose slices all lack liver are left out."""
    sums: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for each in scores:
        if each.scored:
            key = each.group, each.patient
            sums.setdefault(key, []).append((each.dice * each.scored, each.scored))
    return [
        sum(total for total, _ in found) / sum(count for _, count in found)
        for found in sums.values()
    ]


def _text(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" if values else "-"
