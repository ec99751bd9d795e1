"""Scoring of existing masks, written by any tool, against reference masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rma_mamba.errors import RmaMambaError
from rma_mamba.evaluation.case_scores import CaseName, CaseScore, score_case
from rma_mamba.evaluation.class_scores import empty_like, score_classes
from rma_mamba.evaluation.mask_pairs import Pairing
from rma_mamba.evaluation.masks import (
    LiverMask,
    check_same_grid,
    read_class_masks,
    read_liver_mask,
)

SOURCE = "masks"  # source and group of cases that are scored from mask files


def score_pairs(
    pairing: Pairing,
    labels: Sequence[int] = (),
    prediction_labels: Sequence[int] | None = None,
    classes: Mapping[str, Sequence[int]] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[CaseScore]:
    """Score all predictions of all methods.

    Args:
        pairing: References and their predictions.
        labels: Label values of the liver; none: every value above 0.
        prediction_labels: The same for predictions; None: as for references.
        classes: Label values of further classes by name, such as tumours, which are scored as well.
        progress: Called with (masks scored, total).
        warn: Called with a warning for each mask that contains labels, but not those of the liver.

    Raises:
        ScanError: A file cannot be read, or does not contain labels.
        GridError: A prediction is on a different grid than its reference.
    """
    if prediction_labels is None:
        prediction_labels = labels
    count = len(pairing.pairs)
    done, total = 0, count * len(pairing.extra)
    for number, pair in enumerate(pairing.pairs, 1):
        place = f"{number} of {count} by name"
        reference = _read(pair.reference, labels, f"reference {place}", warn)
        true = read_class_masks(pair.reference, classes or {}) if classes else {}
        for name, path in pair.predictions.items():
            bits = np.zeros_like(reference.bits)
            if path is not None:
                bits = _read(path, prediction_labels, f"prediction {place}", warn, reference).bits
            case = CaseName(name, SOURCE, SOURCE, pair.patient, pair.case)
            score = score_case(case, reference.bits, bits, reference.geometry)
            if classes:
                found = empty_like(true) if path is None else read_class_masks(path, classes)
                score = replace(score, classes=score_classes(true, found, reference.geometry))
            yield score
            done += 1
            if progress is not None:
                progress(done, total)


def _read(
    path: Path,
    labels: Sequence[int],
    description: str,
    warn: Callable[[str], None] | None,
    reference: LiverMask | None = None,
) -> LiverMask:
    """Read a mask; errors and warnings begin with its description, since file names may identify patients."""
    try:
        mask = read_liver_mask(path, labels)
        if reference is not None:
            check_same_grid(reference.geometry, mask.geometry)
    except RmaMambaError as error:
        raise type(error)(f"{description}: {error}") from error
    if mask.has_other_labels and warn is not None:
        expected = " or ".join(map(str, labels))
        warn(f"{description} has labels, but none is {expected}: it counts as empty.")
    return mask
