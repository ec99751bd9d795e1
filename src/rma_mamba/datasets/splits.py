"""Train, validation and test splits by patient, with cross-validation folds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from rma_mamba.datasets.settings import Settings
from rma_mamba.deprecation import warn_renamed, with_renamed_keys
from rma_mamba.errors import ConfigError, DataError

Split = Literal["train", "val", "test"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

RENAMED_SPLIT_KEYS = {"valid": "val"}  # old key to current key


def _current_name(split: object) -> object:
    if split != "valid":
        return split
    warn_renamed("the split 'valid'", "'val'")
    return "val"


def parse_split(split: str) -> Split:
    """Return the split of a name; the old name "valid" is accepted with a warning.

    Raises:
        ConfigError: There is no such split.
    """
    current = _current_name(split)
    for known in SPLITS:
        if known == current:
            return known
    raise ConfigError(
        f"unknown split '{split}'; expected one of {', '.join(SPLITS)}. Correct the name."
    )


# A split in a settings model; the old name "valid" is accepted with a warning.
SplitName = Annotated[Split, BeforeValidator(_current_name)]


class SplitConfig(Settings):
    """Which patients of a dataset are held out for validation and testing; all others are trained on."""

    val: tuple[str, ...] = ()
    """IDs of the validation patients. They determine early stopping and the best epoch."""

    test: tuple[str, ...] = ()
    """IDs of the test patients, which are never used in training or validation. "*" means all patients that
    are not named in `val`."""

    folds: int | None = Field(default=None, ge=2)
    """Number of cross-validation folds. All patients except those in `test` are distributed over the folds, and
    `fold` selects the one used for validation. None: no cross-validation; `val` names the patients."""

    fold: int = Field(default=0, ge=0)
    """Index of the validation fold, starting at 0."""

    seed: int = Field(default=0, ge=0)
    """Seed of the distribution of patients over folds."""

    published: tuple[tuple[str, ...], ...] = ()
    """Validation patients of each fold, for datasets with published folds. Replaces `folds`."""

    @model_validator(mode="before")
    @classmethod
    def _accept_old_keys(cls, data: Any) -> Any:
        return with_renamed_keys(data, RENAMED_SPLIT_KEYS)

    @model_validator(mode="after")
    def _check_validation_patients(self) -> Self:
        if sum([bool(self.val), self.folds is not None, bool(self.published)]) > 1:
            raise ValueError("more than one of val, folds and published is set; expected one")
        count = self.folds or len(self.published) or 1
        if self.fold >= count:
            raise ValueError(
                f"fold is {self.fold}; expected less than {count}, the number of folds"
            )
        return self

    @model_validator(mode="after")
    def _check_leakage(self) -> Self:
        val = {patient_id(each) for part in (self.val, *self.published) for each in part}
        leaked = val & {patient_id(each) for each in self.test}
        if leaked:
            # not a ValueError, which would become an error of the recipe: these are invalid data
            raise DataError(
                f"data leakage: patients {sorted(leaked)} are in two splits, val and test; "
                "expected each in one. Correct data.splits."
            )
        return self

    def named_split(self, patient: str) -> Split:
        """The split in which a patient is listed, regardless of `folds`; "train" if in none."""
        val = self.published[self.fold] if self.published else self.val
        if patient in {patient_id(each) for each in val}:
            return "val"
        test = {patient_id(each) for each in self.test}
        return "test" if patient in test or "*" in test else "train"


def patient_id(name: str) -> str:
    """A patient ID without leading zeros: "007" and "7" are the same patient."""
    return name.lstrip("0") or "0"


def split_of(config: SplitConfig, patient: str, patients: Iterable[str]) -> Split:
    """The split that a patient belongs to, taking folds into account.

    Args:
        config: Splits of the patient's dataset.
        patient: Patient ID without leading zeros.
        patients: IDs of all patients of the dataset.

    Raises:
        ConfigError: There are more folds than patients.
    """
    named = config.named_split(patient)
    if named == "test" or config.folds is None:
        return named
    dealt = [each for each in set(patients) if config.named_split(each) != "test"]
    return "val" if patient in fold(dealt, config.folds, config.fold, config.seed) else "train"


def fold(patients: Iterable[str], folds: int, number: int, seed: int = 0) -> frozenset[str]:
    """The patients of one of several folds of equal size (give or take one).

    Patients are distributed in the order of a hash of seed and patient ID, so that the folds do not depend on the
    machine or on the order of the patients.

    Raises:
        ConfigError: There are more folds than patients.
    """
    ordered = sorted({patient_id(each) for each in patients}, key=lambda each: _digest(seed, each))
    if len(ordered) < folds:
        raise ConfigError(
            f"the split has {folds} folds but only {len(ordered)} patients; expected at least one patient in "
            "each fold. Reduce data.splits.DATASET.folds."
        )
    return frozenset(ordered[number::folds])


def _digest(seed: int, patient: str) -> str:
    return hashlib.sha256(f"{seed} {patient}".encode()).hexdigest()
