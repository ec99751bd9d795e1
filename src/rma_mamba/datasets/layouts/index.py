"""Index of a dataset, independent of its layout on disk: its cases with patient, split, files and label values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rma_mamba.datasets.splits import Split
from rma_mamba.errors import ConfigError
from rma_mamba.labels import LabelRule
from rma_mamba.volume import Modality


@dataclass(frozen=True)
class IndexedCase:
    """One case of a dataset: a volume, or all single slices of a patient.

    Args:
        name: Unique name within the dataset, as shown to users.
        patient: Patient ID without leading zeros.
        dataset: Namespace of the patient ID: two cases with the same dataset and patient ID are of one patient.
        sequence: What was acquired ("T1", "T2", "CT", ...); cases are grouped by it.
        kind: volume: a NIfTI file or a folder with one DICOM series; slices: PNG or JPEG files from inferior to
            superior.
        images: The file or folder of the volume, or one file per slice.
        labels: The label file of the volume, or one image per DICOM slice; for slices one per image, None where it is
            missing. Empty: there is no label.
        rule: Meaning of the label values.
        split: Published split; None: none was published.
        modality: CT or MR; None: unknown.
        classes: Label values by name of the class, as the dataset names them.
        channels: File or folder of each scan of a case with several, by name; `images` is then the first of them.
            Empty: a single scan.
        slice_channels: File of each channel of each slice, for slices with several; `images` are then the first of
            them. Empty: single images.
        further: Channels that the layout has found and that are used only on request; all of the case's, by name.
        resample: Whether the scans of a case are resampled to the grid of the first.
    """

    name: str
    patient: str
    dataset: str
    sequence: str
    kind: Literal["volume", "slices"]
    images: tuple[Path, ...]
    labels: tuple[Path | None, ...]
    rule: LabelRule
    split: Split | None = None
    modality: Modality | None = None
    classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    channels: Mapping[str, Path] = field(default_factory=dict, hash=False)
    slice_channels: tuple[Mapping[str, Path], ...] = field(default=(), hash=False)
    further: Mapping[str, Path] = field(default_factory=dict, hash=False)
    resample: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """All image and label files that exist."""
        return (*self.scans, *(label for label in self.labels if label is not None))

    @property
    def scans(self) -> tuple[Path, ...]:
        """All image files, those of all channels."""
        of_slices = tuple(path for each in self.slice_channels for path in each.values())
        return tuple(self.channels.values()) or of_slices or self.images

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels of a case with several; empty for single scans."""
        return tuple(
            dict.fromkeys([*self.channels, *(n for each in self.slice_channels for n in each)])
        )

    def same_patient(self, other: IndexedCase) -> bool:
        """Whether two cases belong to the same patient."""
        return (self.dataset, self.patient) == (other.dataset, other.patient)


@dataclass(frozen=True)
class LayoutFault:
    """An error that is visible in names and lists of files alone.

    Args:
        kind: files: a file cannot be assigned to a case; leakage: a case is in two splits.
        text: What was found and what was expected.
        cases: Names of the cases concerned.
        files: Files that belong to no case for this reason.
    """

    kind: Literal["files", "leakage"]
    text: str
    cases: tuple[str, ...]
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class DatasetIndex:
    """All labelled cases of a dataset.

    Args:
        name: Name of the layout.
        cases: The cases, in the order of their names.
        notes: What readers of results should know about the dataset, one sentence each.
        irregularities: Irregularities found while listing the files, one sentence each.
        severity: Severity of the disease by patient ID, where the dataset states it.
        folds: Validation patients of each published fold.
        faults: Errors found while listing the files.
        set_aside: Files that the layout leaves out on purpose, as one of its notes states.
    """

    name: str
    cases: tuple[IndexedCase, ...]
    notes: tuple[str, ...] = ()
    irregularities: tuple[str, ...] = ()
    severity: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    folds: tuple[tuple[str, ...], ...] = ()
    faults: tuple[LayoutFault, ...] = ()
    set_aside: frozenset[Path] = frozenset()

    @property
    def sequences(self) -> list[str]:
        """Names of the sequences, in the order of the cases."""
        return list(dict.fromkeys(case.sequence for case in self.cases))

    def with_sequences(self, names: Sequence[str]) -> DatasetIndex:
        """The same dataset, restricted to some of its sequences.

        Raises:
            ConfigError: The dataset has no sequence of that name.
        """
        known = {name.lower(): name for name in self.sequences}
        unknown = [name for name in names if name.lower() not in known]
        if unknown:
            raise ConfigError(
                f"the dataset has no sequence '{unknown[0]}'; expected one of {', '.join(self.sequences)}. "
                "Choose one of these."
            )
        selected = {known[name.lower()] for name in names}
        return replace(self, cases=tuple(case for case in self.cases if case.sequence in selected))


@dataclass(frozen=True)
class LayoutOptions:
    """User options for a dataset.

    Args:
        liver: Label values of the liver; empty: as defined by the dataset.
        patient: Regular expression over a case name; its first group is the patient ID. None: as the layout defines it.
        channels: Scans of a patient that are channels of one case: their names, and the sequence or channel of the
            dataset that each is. Empty: every scan is a case of its own.
        resample: Resample the scans of such a case to the grid of its first.
    """

    liver: tuple[int, ...] = ()
    patient: str | None = None
    channels: Mapping[str, str] = field(default_factory=dict)
    resample: bool = False

    def patient_of(self, case: str, default: str = "(.+)") -> str:
        """The patient ID in a case name.

        Args:
            case: Name of the case.
            default: Pattern of the layout.

        Raises:
            ConfigError: The name does not match, or the pattern is not a regular expression with a group.
        """
        pattern = self.patient or default
        try:
            match = re.fullmatch(pattern, case)
            found = match[1] if match else None
        except (re.error, IndexError):
            found = None
        if not found:
            raise ConfigError(
                f"the pattern '{pattern}' does not match every case name; expected a regular expression whose first "
                "group is the patient ID. Change --patient."
            )
        return found


def unmatched_labels(count: int, of: str = "") -> tuple[str, ...]:
    """A sentence about labels without an image; nothing if there are none."""
    if not count:
        return ()
    subject = f"{count} label{'s' if count > 1 else ''}{f' of {of}' if of else ''}"
    return (f"{subject} without an image: skipped.",)
