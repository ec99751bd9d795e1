"""Scores of individual patients as Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rma_mamba.evaluation.patient_scores import PatientScore
from rma_mamba.evaluation.summary_markdown import POSTPROCESSING

_HEAD = (
    "| source | patient | Dice | scored | reference (mL) | prediction (mL) | false positives without liver |",
    "|---|---|---|---|---|---|---|",
)


def patients_to_markdown(scores: Sequence[PatientScore]) -> str:
    """A row per patient and source, then for each group of sources the mean over patients and the worst patient.

    The mean over slices gives equal weight to each slice of a group, as slice-wise scores are usually reported.
    """
    lines = [*_HEAD, *(_row(score) for score in scores), "", *_SUMMARY_HEAD]
    for name in dict.fromkeys(score.group for score in scores):
        patients: dict[str, list[PatientScore]] = {}
        for score in scores:
            if score.group == name and score.scored:
                patients.setdefault(score.patient, []).append(score)
        lines.append(_summary(name, patients))
    removed = {case.postprocessing for score in scores for case in score.cases}
    if removed:
        lines += ["", f"Post-processing: {POSTPROCESSING[', '.join(sorted(removed))]}."]
    return "\n".join(lines)


_SUMMARY_HEAD = (
    "| group | patients | mean Dice over patients | mean Dice over volumes or slices | worst patient |",
    "|---|---|---|---|---|",
)


def _row(score: PatientScore) -> str:
    if math.isnan(score.found_ml):
        count = round(score.false_ml)
        volumes = f"| - | - | {count} slice{'' if count == 1 else 's'}"
    else:
        volumes = f"| {score.reference_ml:.0f} | {score.found_ml:.0f} | {score.false_ml:.1f} mL"
    dice = "-" if math.isnan(score.dice) else f"{score.dice:.3f}"
    return f"| {score.source} | {score.patient} | {dice} | {score.scored} {volumes} |"


def _summary(name: str, patients: dict[str, list[PatientScore]]) -> str:
    if not patients:
        return f"| {name} | 0 | - | - | - |"
    means = {patient: _mean(scores) for patient, scores in patients.items()}
    worst = min(means, key=lambda patient: means[patient])
    return (
        f"| {name} | {len(means)} | {sum(means.values()) / len(means):.3f} | "
        f"{_mean([score for scores in patients.values() for score in scores]):.3f} | "
        f"{means[worst]:.3f} ({worst}) |"
    )


def _mean(scores: Sequence[PatientScore]) -> float:
    """Mean over volumes or slices, which all have equal weight."""
    return sum(score.dice * score.scored for score in scores) / sum(
        score.scored for score in scores
    )
