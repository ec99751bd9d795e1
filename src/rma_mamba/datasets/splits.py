"""Cross-validation by patient: which fold a patient validates in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from rma_mamba.datasets.config import Side, SplitConfig, normalised
from rma_mamba.errors import ConfigError


def side_of(split: SplitConfig, patient: str, cohort: Iterable[str]) -> Side:
    """On which side a patient is, folds included.

    Args:
        split: Of the patient's cohort.
        patient: Number without leading zeros.
        cohort: The numbers of all patients of the cohort.

    Raises:
        ConfigError: There are more folds than patients to spread over them.
    """
    side = split.side(patient)
    if side == "test" or split.folds is None:
        return side
    spread = [each for each in set(cohort) if split.side(each) != "test"]
    return "valid" if patient in fold(spread, split.folds, split.fold, split.seed) else "train"


def fold(patients: Iterable[str], folds: int, number: int, seed: int = 0) -> frozenset[str]:
    """The patients that validate in one of several folds of even size.

    They are dealt out in the order of a digest of seed and number, which is the same on every machine and
    whatever order they come in.

    Raises:
        ConfigError: There are more folds than patients.
    """
    ordered = sorted({normalised(each) for each in patients}, key=lambda each: _digest(seed, each))
    if len(ordered) < folds:
        raise ConfigError(
            f"the split has {folds} folds of {len(ordered)} patients; expected a patient in each. "
            "Lower data.splits.COHORT.folds."
        )
    return frozenset(ordered[number::folds])


def _digest(seed: int, patient: str) -> str:
    return hashlib.sha256(f"{seed} {patient}".encode()).hexdigest()
