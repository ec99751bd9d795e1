"""What every dataset is to the rest of the package, however it lies on disk: cases with a patient and a side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rma_mamba.datasets.config import Side
from rma_mamba.datasets.layouts.labels import LabelRule
from rma_mamba.errors import ConfigError
from rma_mamba.volume import Modality

VOLUMES = (".nii.gz", ".nii")
PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class IndexedCase:
    """One case: a volume, or the slices of one patient as pictures.

    Args:
        name: Unique in the dataset, and shown to its user.
        patient: Number inside the cohort, without leading zeros.
        cohort: Entries of one cohort share their patients.
        sequence: What was taken ("T1", "T2", "CT", ...); tables and sources go by it.
        kind: volume: one NIfTI file or one folder of a DICOM series; slices: pictures from foot to head.
        images: The file or folder, or the pictures.
        labels: The file, or one picture for each file of the series; of slices one for each picture, None
            where it is missing. Empty: there is no label.
        rule: What the label's values mean.
        side: Of the published split; None: there is none.
        modality: None: not known.
    """

    name: str
    patient: str
    cohort: str
    sequence: str
    kind: Literal["volume", "slices"]
    images: tuple[Path, ...]
    labels: tuple[Path | None, ...]
    rule: LabelRule
    side: Side | None = None
    modality: Modality | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Images and labels, without what is missing."""
        return (*self.images, *(label for label in self.labels if label is not None))


@dataclass(frozen=True)
class DatasetIndex:
    """All labelled cases of a dataset.

    Args:
        name: Name of the layout.
        entries: The cases, in the order of their names.
        notes: What a reader of a result should know of the dataset, one sentence each.
        doubts: What was met on listing and passed over, one sentence each.
        severity: Of the disease, by patient, where the dataset tells.
        folds: Patients that validate in each published fold, by fold.
    """

    name: str
    entries: tuple[IndexedCase, ...]
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    severity: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    folds: tuple[tuple[str, ...], ...] = ()

    @property
    def sequences(self) -> list[str]:
        """Names of the sequences, in the order of the entries."""
        return list(dict.fromkeys(entry.sequence for entry in self.entries))

    def only(self, sequences: Sequence[str]) -> DatasetIndex:
        """The same dataset with some of its sequences.

        Raises:
            ConfigError: There is no sequence of such a name.
        """
        known = {name.lower(): name for name in self.sequences}
        lost = [name for name in sequences if name.lower() not in known]
        if lost:
            raise ConfigError(
                f"the dataset has no sequence '{lost[0]}'; expected one of {', '.join(self.sequences)}. "
                "Choose one of these."
            )
        wanted = {known[name.lower()] for name in sequences}
        return replace(
            self, entries=tuple(entry for entry in self.entries if entry.sequence in wanted)
        )


@dataclass(frozen=True)
class LayoutOptions:
    """What a user may say of a dataset.

    Args:
        liver: Label values that are liver; empty: as the dataset's own description says.
        patient: Regular expression over a case's name; its first group is the patient. None: the layout's.
    """

    liver: tuple[int, ...] = ()
    patient: str | None = None

    def patient_of(self, case: str, default: str = "(.+)") -> str:
        """The patient of a case.

        Raises:
            ConfigError: The name does not match, or the expression is none.
        """
        pattern = self.patient or default
        try:
            match = re.fullmatch(pattern, case)
            found = match[1] if match else None
        except (re.error, IndexError):
            found = None
        if not found:
            raise ConfigError(
                f"the pattern '{pattern}' finds no patient in a case's name; expected a regular expression "
                "whose first group is the patient in every name. Change --patient."
            )
        return found


def scan_files(folder: Path, endings: Iterable[str] = VOLUMES) -> dict[str, Path]:
    """Files of these endings by their name without it, in natural order; hidden ones are passed over."""
    found = {}
    for path in natural(folder.iterdir() if folder.is_dir() else ()):
        ending = next((end for end in endings if path.name.lower().endswith(end)), None)
        # macOS leaves a hidden "._" twin beside each file of an archive
        if ending is not None and not path.name.startswith("."):
            found[path.name[: -len(ending)]] = path
    return found


def subfolders(folder: Path) -> list[Path]:
    """Folders inside a folder, in natural order; hidden ones are passed over."""
    inside = folder.iterdir() if folder.is_dir() else ()
    return natural(path for path in inside if path.is_dir() and not path.name.startswith("."))


def natural(paths: Iterable[Path]) -> list[Path]:
    """Paths in the order of their names, numbers by their value."""
    return sorted(paths, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts "z2" before "z10"."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def find_folder(root: Path, names: Iterable[str], holds: Iterable[str]) -> Path | None:
    """The folder of one of these names, at most three levels down, that holds one of some subfolders.

    Unzipping doubles a folder now and then (`Name/Name/...`), and a user may give it or what it lies in.
    """
    names, holds = tuple(names), tuple(holds)
    levels = ("", "*/", "*/*/")
    below = [path for name in names for level in levels for path in root.glob(f"{level}{name}")]
    for folder in ([root] if root.name in names else []) + below:
        if any((folder / name).is_dir() for name in holds):
            return folder
    return None
