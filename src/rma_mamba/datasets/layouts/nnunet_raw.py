"""nnU-Net's raw format, with its published folds.

    DatasetXXX_Name/{imagesTr/CASE_0000.nii.gz,labelsTr/CASE.nii.gz,dataset.json}
    DatasetXXX_Name/{imagesTs/CASE_0000.nii.gz,labelsTs/CASE.nii.gz}     (test, where it has labels)
    splits_final.json   beside dataset.json, or in nnUNet_preprocessed/DatasetXXX_Name/

Source: nnU-Net, documentation/dataset_format.md (v2; `modality` and inverted `labels` are v1's).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rma_mamba.datasets.config import Side, normalised
from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase, LayoutOptions, scan_files
from rma_mamba.datasets.layouts.labels import LabelRule
from rma_mamba.errors import ConfigError
from rma_mamba.volume import Modality

EXPECTED = "imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz and dataset.json"

_TUMOUR = {"tumor", "tumour", "cancer", "lesion"}  # inside the liver, where it is the only organ
_FIRST, _OTHERS = "_0000", re.compile(r".*_000[1-9]")


def recognises(root: Path) -> bool:
    """Whether its training images and its description lie there."""
    channels = scan_files(root / "imagesTr")
    return (root / "dataset.json").is_file() and any(name.endswith(_FIRST) for name in channels)


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """The first channel of all cases that have a label folder.

    Raises:
        ConfigError: dataset.json or splits_final.json cannot be understood, or no label is called liver.
    """
    described = _json(root / "dataset.json")
    rule, notes = _rule(described, options)
    modality = _modality(described)
    entries = list(_entries(root, "Tr", None, modality, rule, options))
    if (root / "labelsTs").is_dir():
        entries += _entries(root, "Ts", "test", modality, rule, options)
    if any(_OTHERS.fullmatch(name) for name in scan_files(root / "imagesTr")):
        notes.append("Cases have several channels: the first (_0000) is read.")
    folds, doubts = _folds(root, entries, options)
    if folds:
        notes.append(f"splits_final.json publishes {len(folds)} folds.")
    return DatasetIndex("nnunet", tuple(entries), tuple(notes), tuple(doubts), folds=folds)


def _entries(
    root: Path,
    part: str,
    side: Side | None,
    modality: Modality | None,
    rule: LabelRule,
    options: LayoutOptions,
) -> Iterator[IndexedCase]:
    labels = scan_files(root / f"labels{part}")
    for name, path in scan_files(root / f"images{part}").items():
        if not name.endswith(_FIRST):
            continue
        case = name.removesuffix(_FIRST)
        yield IndexedCase(
            name=case if side is None else f"{side}/{case}",
            patient=normalised(options.patient_of(case)),
            cohort=_cohort(root),
            sequence=modality or "scan",
            kind="volume",
            images=(path,),
            labels=(labels[case],) if case in labels else (),
            rule=rule,
            side=side,
            modality=modality,
        )


def _cohort(root: Path) -> str:
    """The dataset's name as a key of a recipe."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", root.resolve().name).strip("-").lower() or "nnunet"


def _rule(described: dict[str, Any], options: LayoutOptions) -> tuple[LabelRule, list[str]]:
    values = _label_values(described)
    known = frozenset(value for each in values.values() for value in each)
    named = [name for name in values if "liver" in name.lower()]
    tumour = [name for name in values if name.lower() in _TUMOUR]
    if options.liver:
        return LabelRule(frozenset(), known).with_liver(options.liver), []
    if not named:
        raise ConfigError(
            f"dataset.json names the labels {', '.join(values) or 'not at all'}; expected one called liver. "
            "Say which values are liver with --liver."
        )
    inside = tumour if len(values) == len(named) + len(tumour) else []
    liver = frozenset(value for name in named + inside for value in values[name])
    shown = ", ".join(f"{name} ({', '.join(map(str, values[name]))})" for name in named + inside)
    return LabelRule(liver, known), [f"Liver is {shown}."]


def _label_values(described: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Values by name, without the background and what is to be ignored."""
    labels = described.get("labels")
    found: dict[str, tuple[int, ...]] = {}
    try:
        for key, value in dict(labels or {}).items():
            name, values = (value, key) if str(key).isdecimal() else (key, value)
            several = values if isinstance(values, list) else [values]
            found[str(name)] = tuple(int(each) for each in several)
    except (TypeError, ValueError):
        raise ConfigError(
            "the labels of dataset.json cannot be understood; expected names with their values. Repair it."
        ) from None
    return {name: values for name, values in found.items() if any(values)}


def _modality(described: dict[str, Any]) -> Modality | None:
    channels = described.get("channel_names") or described.get("modality") or {}
    first = str(channels.get("0", "")).upper() if isinstance(channels, dict) else ""
    if first.startswith("CT"):
        return "CT"
    return "MR" if first.startswith(("MR", "T1", "T2")) else None


def _folds(
    root: Path, entries: list[IndexedCase], options: LayoutOptions
) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """Patients that validate in each published fold, and a sentence on each fault of the file.

    Raises:
        ConfigError: The file cannot be understood, or a patient validates and trains in one fold.
    """
    places = [root, root.parent.parent / "nnUNet_preprocessed" / root.name]
    path = next((place / "splits_final.json" for place in places
                 if (place / "splits_final.json").is_file()), None)  # fmt: skip
    if path is None:
        return (), []
    cases = {entry.name: entry.patient for entry in entries if entry.side is None}
    folds, doubts = [], []
    for number, (train, valid) in enumerate(_published(path)):
        lost = len((train | valid) - set(cases))
        unused = len(set(cases) - train - valid)
        if lost:
            doubts.append(
                f"Fold {number} of splits_final.json names {lost} cases that are missing."
            )
        if unused:
            doubts.append(
                f"Fold {number} of splits_final.json leaves out {unused} cases: they train."
            )
        patients = [
            {normalised(options.patient_of(case)) for case in side} for side in (train, valid)
        ]
        if patients[0] & patients[1]:
            raise ConfigError(
                f"fold {number} of splits_final.json has {len(patients[0] & patients[1])} patients on both "
                "sides; expected each on one. Split by patient."
            )
        folds.append(tuple(sorted(patients[1] & set(cases.values()))))
    return tuple(folds), doubts


def _published(path: Path) -> list[tuple[set[str], set[str]]]:
    try:
        folds = json.loads(path.read_text("utf-8"))
        return [(set(map(str, fold["train"])), set(map(str, fold["val"]))) for fold in folds]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            "splits_final.json cannot be understood; expected a list of folds with train and val. Repair it."
        ) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path.name} cannot be read; expected nnU-Net's description of the dataset. Repair it."
        )
    return content
