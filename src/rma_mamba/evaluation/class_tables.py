"""Tables of the classes of many cases: per-class scores, lesion detection, and lesions by size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.class_scores import ClassScore
from rma_mamba.metrics import bootstrap_interval
from rma_mamba.metrics.lesions import DETECTED_IOU, SIZE_GROUPS, Lesion

_CLASSES = "| method | group | class | patients | Dice (95% CI) | pooled Dice | IoU | HD95 mm (undefined) |"
_DETECTION = "| method | group | class | scans | lesions | sensitivity | precision | false positives per scan |"
_SIZES = "| method | group | class | size | lesions | sensitivity | mean Dice |"

Scored = list[tuple[CaseScore, ClassScore]]


def classes_to_markdown(cases: Sequence[CaseScore]) -> str:
    """Tables of all classes; an empty text if the liver alone was scored."""
    groups = list(_grouped(cases))
    if not groups:
        return ""
    parts = ["## Classes", _table(_CLASSES, (_class_row(*each) for each in groups))]
    return "\n\n".join([*parts, *filter(None, [lesions_to_markdown(cases)])])


def lesions_to_markdown(cases: Sequence[CaseScore]) -> str:
    """Tables of the lesions of all classes; an empty text if there is no class but the liver.

    With several runs of a method, the lesions of all runs are pooled, and their number is that of one run.
    """
    lesions = [each for each in _grouped(cases) if each[1][0][1].lesions is not None]
    if not lesions:
        return ""
    parts = [
        f"Lesions are connected components; detected: IoU of at least {DETECTED_IOU:g} with what touches them.",
        _table(_DETECTION, (_detection_row(*each) for each in lesions)),
        _table(_SIZES, (row for each in lesions for row in _size_rows(*each))),
    ]
    return "\n\n".join(parts)


def class_rows(cases: Iterable[CaseScore]) -> Iterator[tuple[CaseScore, dict[str, Any]]]:
    """One row per case and class, for CSV."""
    for case in cases:
        for each in case.classes:
            lesions = each.lesions
            counts = {"lesions": "", "lesions_detected": "", "false_positives": ""}
            if lesions is not None:
                detected = sum(lesion.detected for lesion in lesions.lesions)
                counts = {
                    "lesions": str(len(lesions.lesions)),
                    "lesions_detected": str(detected),
                    "false_positives": str(lesions.false_positives),
                }
            yield case, {"class": each.name, **asdict(each.score), **counts}


def lesion_rows(cases: Iterable[CaseScore]) -> Iterator[tuple[CaseScore, dict[str, Any]]]:
    """One row per lesion of the references, for CSV."""
    for case in cases:
        for each in case.classes:
            for lesion in each.lesions.lesions if each.lesions else ():
                row = {"class": each.name, **asdict(lesion), "size_group": lesion.size_group}
                yield case, row


def _grouped(cases: Sequence[CaseScore]) -> Iterator[tuple[tuple[str, str, str], Scored]]:
    groups: dict[tuple[str, str, str], Scored] = {}
    for case in cases:
        for each in case.classes:
            groups.setdefault((case.method, case.group, each.name), []).append((case, each))
    yield from groups.items()


def _table(head: str, rows: Iterable[str]) -> str:
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def _class_row(names: tuple[str, ...], found: Scored) -> str:
    patients: dict[tuple[str, int | None], list[float]] = {}
    for case, each in found:
        patients.setdefault((case.patient, case.run), []).append(each.score.dice)
    dices = [float(np.mean(values)) for values in patients.values()]
    owners, runs = [patient for patient, _ in patients], [run for _, run in patients]
    low, high = bootstrap_interval(dices, owners, runs=runs)
    interval = "" if math.isnan(low) else f" ({low:.3f} to {high:.3f})"
    both = sum(_shared_ml(each) for _, each in found)
    total = sum(each.score.reference_ml + each.score.found_ml for _, each in found)
    pooled = 2 * both / total if total else 1.0
    iou = np.mean([each.score.iou for _, each in found])
    distances = [each.score.hd95_mm for _, each in found]
    defined = [value for value in distances if not math.isnan(value)]
    distance = f"{np.mean(defined):.1f}" if defined else "-"
    missing = len(distances) - len(defined)
    return _row(
        *names,
        str(len(set(owners))),
        f"{np.mean(dices):.3f}{interval}",
        f"{pooled:.3f}",
        f"{iou:.3f}",
        f"{distance} ({missing})",
    )


def _shared_ml(each: ClassScore) -> float:
    """Volume of the intersection."""
    return each.score.dice * (each.score.reference_ml + each.score.found_ml) / 2


def _detection_row(names: tuple[str, ...], found: Scored) -> str:
    scores = [each.lesions for _, each in found if each.lesions is not None]
    lesions = [lesion for score in scores for lesion in score.lesions]
    predicted = sum(score.predicted for score in scores)
    false = sum(score.false_positives for score in scores)
    precision = f"{1 - false / predicted:.3f}" if predicted else "-"
    runs = _runs(found)
    return _row(
        *names,
        str(len(scores) // runs),
        str(len(lesions) // runs),
        _sensitivity(lesions),
        precision,
        f"{false / len(scores):.2f}",
    )


def _size_rows(names: tuple[str, ...], found: Scored) -> Iterator[str]:
    lesions = [lesion for _, each in found if each.lesions for lesion in each.lesions.lesions]
    for group in SIZE_GROUPS:
        members = [lesion for lesion in lesions if lesion.size_group == group]
        dice = f"{np.mean([lesion.dice for lesion in members]):.3f}" if members else "-"
        yield _row(*names, group, str(len(members) // _runs(found)), _sensitivity(members), dice)


def _runs(found: Scored) -> int:
    """Number of training runs; each has scored the same references."""
    return len({case.run for case, _ in found})


def _sensitivity(lesions: Sequence[Lesion]) -> str:
    return f"{np.mean([lesion.detected for lesion in lesions]):.3f}" if lesions else "-"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
