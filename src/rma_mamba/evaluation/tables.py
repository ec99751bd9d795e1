"""Scores as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from rma_mamba.evaluation.protocol import PatientScore

_HEAD = (
    "| source | patient | Dice | scored | liver mL | found mL | found where there is none |",
    "|---|---|---|---|---|---|---|",
)


def to_markdown(scores: Sequence[PatientScore]) -> str:
    """One row a patient, then for each source the mean over patients and the worst.

    The mean over slices weighs every slice of a source equally, as slice-wise scores are usually given.
    """
    lines = [*_HEAD, *(_row(score) for score in scores), "", *_SUMMARY_HEAD]
    for source, group in groupby(scores, key=lambda score: score.source):
        lines.append(_summary(source, [score for score in group if score.scored]))
    return "\n".join(lines)


_SUMMARY_HEAD = (
    "| source | patients | mean Dice over patients | mean Dice over all scored | worst patient |",
    "|---|---|---|---|---|",
)


def _row(score: PatientScore) -> str:
    if math.isnan(score.found_ml):
        volumes = f"| - | - | {score.false_ml:.0f} slices"
    else:
        volumes = f"| {score.reference_ml:.0f} | {score.found_ml:.0f} | {score.false_ml:.1f} mL"
    shown = "-" if math.isnan(score.dice) else f"{score.dice:.3f}"
    return f"| {score.source} | {score.patient} | {shown} | {score.scored} {volumes} |"


def _summary(source: str, scores: list[PatientScore]) -> str:
    if not scores:
        return f"| {source} | 0 | - | - | - |"
    mean = sum(score.dice for score in scores) / len(scores)
    counted = sum(score.scored for score in scores)
    weighted = sum(score.dice * score.scored for score in scores) / counted
    worst = min(scores, key=lambda score: score.dice)
    return (
        f"| {source} | {len(scores)} | {mean:.3f} | {weighted:.3f} | "
        f"{worst.dice:.3f} ({worst.patient}) |"
    )
