"""The raw data format of nnU-Net, with published folds.

    DatasetXXX_Name/{imagesTr/CASE_0000.nii.gz,labelsTr/CASE.nii.gz,dataset.json}
    DatasetXXX_Name/{imagesTs/CASE_0000.nii.gz,labelsTs/CASE.nii.gz}     (test, if labelled)
    splits_final.json   beside dataset.json, or in nnUNet_preprocessed/DatasetXXX_Name/

Source: nnU-Net, documentation/dataset_format.md (version 2; `modality` and inverted `labels` are from version 1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rma_mamba.datasets.layouts.index import (
    DatasetIndex,
    IndexedCase,
    LayoutFault,
    LayoutOptions,
    unmatched_labels,
)
from rma_mamba.datasets.layouts.listing import scan_files
from rma_mamba.datasets.layouts.nnunet_channels import (
    CHANNEL,
    FIRST,
    case_channels,
    channel_names,
    unused_channels_note,
)
from rma_mamba.datasets.splits import Split, patient_id
from rma_mamba.errors import ConfigError
from rma_mamba.labels import LabelRule
from rma_mamba.volume import Modality

EXPECTED = "imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz and dataset.json"

_TUMOUR = {"tumor", "tumour", "cancer", "lesion"}  # inside the liver, if no other organ is labelled


def recognises(root: Path) -> bool:
    """Whether a folder contains training images and dataset.json."""
    channels = scan_files(root / "imagesTr")
    return (root / "dataset.json").is_file() and any(name.endswith(FIRST) for name in channels)


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """List the training cases, and the test cases if they are labelled; further channels are used on request only.

    Raises:
        ConfigError: dataset.json or splits_final.json is not valid, or no label is named liver.
    """
    description = _json(root / "dataset.json")
    rule, notes = _rule(description, options)
    modality = _modality(description)
    names = channel_names(description)
    cases = list(_cases(root, "Tr", names, modality, rule, options))
    if (root / "labelsTs").is_dir():
        cases += _cases(root, "Ts", names, modality, rule, options)
    classes = _classes(description, rule)
    cases = [replace(case, classes=classes) for case in cases]
    faults, set_aside = _other_images(root, several=bool(options.channels))
    if set_aside and not options.channels:
        notes.append(unused_channels_note(names.values()))
    published = _folds(root, cases, options)
    if published.folds:
        notes.append(f"splits_final.json publishes {len(published.folds)} folds.")
    return DatasetIndex(
        "nnunet",
        tuple(cases),
        tuple(notes),
        (*published.irregularities, *_unmatched_labels(root, cases)),
        folds=published.folds,
        faults=(*faults, *published.leakage),
        set_aside=set_aside,
    )


def _cases(
    root: Path,
    part: str,
    names: Mapping[str, str],
    modality: Modality | None,
    rule: LabelRule,
    options: LayoutOptions,
) -> Iterator[IndexedCase]:
    labels = scan_files(root / f"labels{part}")
    split: Split | None = None if part == "Tr" else "test"
    first = names.get(FIRST[1:], FIRST[1:])
    for case, channels in case_channels(root / f"images{part}", names).items():
        if first not in channels and not options.channels:
            continue
        yield IndexedCase(
            name=case if split is None else f"{split}/{case}",
            patient=patient_id(options.patient_of(case)),
            dataset=_dataset(root),
            sequence=modality or "scan",
            kind="volume",
            images=(channels.get(first) or next(iter(channels.values())),),
            labels=(labels[case],) if case in labels else (),
            rule=rule,
            split=split,
            modality=modality,
            further=channels,
        )


def _other_images(root: Path, *, several: bool) -> tuple[list[LayoutFault], frozenset[Path]]:
    """Images that belong to no case because `_0000` is missing, and further channels of cases.

    With several channels, cases may lack the first one.
    """
    faults, further = [], set()
    for part in ("Tr", "Ts") if (root / "labelsTs").is_dir() else ("Tr",):
        images = scan_files(root / f"images{part}")
        for name, path in images.items():
            channel = CHANNEL.fullmatch(name)
            if channel and (several or channel[1] + FIRST in images):
                further |= set() if name.endswith(FIRST) else {path}
            elif not name.endswith(FIRST):
                text = (
                    f"an image of images{part} is not named CASE{FIRST} or has no first channel, so that it would "
                    "not be used; expected one such file for each case. Rename it."
                )
                case = channel[1] if channel else name
                faults.append(LayoutFault("files", text, (case,), (path,)))
    return faults, frozenset(further)


def _unmatched_labels(root: Path, cases: list[IndexedCase]) -> tuple[str, ...]:
    images = {case.name for case in cases if case.split is None}
    return unmatched_labels(len(set(scan_files(root / "labelsTr")) - images), "labelsTr")


def _dataset(root: Path) -> str:
    """The dataset name in a form that recipes can use as a key."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", root.resolve().name).strip("-").lower() or "nnunet"


def _rule(description: dict[str, Any], options: LayoutOptions) -> tuple[LabelRule, list[str]]:
    values = _label_values(description)
    known = frozenset(value for each in values.values() for value in each)
    named = [name for name in values if "liver" in name.lower()]
    tumour = [name for name in values if name.lower() in _TUMOUR]
    if options.liver:
        return LabelRule(frozenset(), known).with_liver(options.liver), []
    if not named:
        raise ConfigError(
            f"dataset.json defines the labels {', '.join(values) or '(none)'}; expected a label named liver. "
            "Set the label values of the liver with --liver."
        )
    inside = tumour if len(values) == len(named) + len(tumour) else []
    liver = frozenset(value for name in named + inside for value in values[name])
    shown = ", ".join(f"{name} ({', '.join(map(str, values[name]))})" for name in named + inside)
    return LabelRule(liver, known), [f"Liver is {shown}."]


def _classes(description: dict[str, Any], rule: LabelRule) -> dict[str, tuple[int, ...]]:
    """Label values by class, named as recipes allow; those of the liver include a tumour inside it."""
    found = {
        re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-"): values
        for name, values in _label_values(description).items()
    }
    liver = [name for name in found if name.lower() == "liver"]
    return found | {name: tuple(sorted(rule.liver)) for name in liver}


def _label_values(description: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Label values by name, without the background."""
    labels = description.get("labels")
    found: dict[str, tuple[int, ...]] = {}
    try:
        for key, value in dict(labels or {}).items():
            name, values = (value, key) if str(key).isdecimal() else (key, value)
            several = values if isinstance(values, list) else [values]
            found[str(name)] = tuple(int(each) for each in several)
    except (TypeError, ValueError):
        raise ConfigError(
            "the labels in dataset.json are not valid; expected names with their values. Repair the file."
        ) from None
    return {name: values for name, values in found.items() if any(values)}


def _modality(description: dict[str, Any]) -> Modality | None:
    channels = description.get("channel_names") or description.get("modality") or {}
    first = str(channels.get("0", "")).upper() if isinstance(channels, dict) else ""
    if first.startswith("CT"):
        return "CT"
    return "MR" if first.startswith(("MR", "T1", "T2")) else None


@dataclass(frozen=True)
class _PublishedFolds:
    """Validation patients of each fold, a sentence about each irregularity of the file, and leakage between the splits
    of a fold."""

    folds: tuple[tuple[str, ...], ...] = ()
    irregularities: tuple[str, ...] = ()
    leakage: tuple[LayoutFault, ...] = ()


def _folds(root: Path, cases: list[IndexedCase], options: LayoutOptions) -> _PublishedFolds:
    """The published folds, if there are any.

    Raises:
        ConfigError: The file is not valid.
    """
    places = [root, root.parent.parent / "nnUNet_preprocessed" / root.name]
    path = next((place / "splits_final.json" for place in places
                 if (place / "splits_final.json").is_file()), None)  # fmt: skip
    if path is None:
        return _PublishedFolds()
    patients = {case.name: case.patient for case in cases if case.split is None}
    folds: list[tuple[str, ...]] = []
    irregularities: list[str] = []
    leakage: list[LayoutFault] = []
    for number, (train, val) in enumerate(_read_folds(path)):
        irregularities += _fold_irregularities(number, train | val, set(patients))
        train_patients, val_patients = (
            {patient_id(options.patient_of(name)): name for name in sorted(names)}
            for names in (train, val)
        )
        for patient in sorted(train_patients.keys() & val_patients.keys()):
            leakage.append(_leak(number, {train_patients[patient], val_patients[patient]}))
        folds.append(tuple(sorted(val_patients.keys() & set(patients.values()))))
    return _PublishedFolds(tuple(folds), tuple(irregularities), tuple(leakage))


def _fold_irregularities(number: int, named: set[str], cases: set[str]) -> Iterator[str]:
    missing, unused = len(named - cases), len(cases - named)
    if missing:
        yield f"Fold {number} of splits_final.json names {missing} missing cases."
    if unused:
        yield f"Fold {number} of splits_final.json omits {unused} cases: they are used for training."


def _leak(number: int, cases: set[str]) -> LayoutFault:
    subject = "a case" if len(cases) == 1 else "a patient"
    text = (
        f"data leakage: {subject} is in train and val of fold {number} of splits_final.json; expected one of them. "
        "Split by patient."
    )
    return LayoutFault("leakage", text, tuple(sorted(cases)))


def _read_folds(path: Path) -> list[tuple[set[str], set[str]]]:
    """Training and validation cases of each fold."""
    try:
        folds = json.loads(path.read_text("utf-8"))
        return [(set(map(str, fold["train"])), set(map(str, fold["val"]))) for fold in folds]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            "splits_final.json is not valid; expected a list of folds with the keys train and val. Repair the file."
        ) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path.name} cannot be read; expected the nnU-Net description of the dataset. Repair the file."
        )
    return content
