"""CirrMRI600+: cirrhotic livers in T1 and T2, as 3-D NIfTI volumes and 2-D PNG slices, and 55 healthy subjects.

    Cirrhosis_T{1,2}_3D/{train,valid,test}_{images,masks}/<patient>.nii.gz
    Cirrhosis_T{1,2}_2D/{train,valid,test}/<patient>/{images,masks}/*.png     (T2 is published, T1 is read alike)
    Healthy_subjects/{T1_W_Healthy/{T1_images,T1_masks},T2_W_Healthy/{T2_images,T2_masks}}/<id>.nii.gz
    Metadata/*.csv

Source: OSF project cuk24, doi 10.17605/OSF.IO/CUK24; Sci Data 12:896.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from rma_mamba.datasets.layouts.index import (
    DatasetIndex,
    IndexedCase,
    LayoutOptions,
    unmatched_labels,
)
from rma_mamba.datasets.layouts.listing import find_folder, scan_files, subfolders
from rma_mamba.datasets.source_files import SLICE_SUFFIXES
from rma_mamba.datasets.splits import Split, patient_id
from rma_mamba.labels import LabelRule

EXPECTED = (
    "Cirrhosis_T2_3D/train_images/*.nii.gz, Cirrhosis_T2_2D/train/PATIENT/images/*.png or similar"
)

_DATASET, _HEALTHY = "cirrmri600", "cirrmri600-healthy"
_RULE = LabelRule(frozenset({1}), frozenset({1}))
_SPLITS: Final[dict[str, Split]] = {"train": "train", "valid": "val", "test": "test"}  # by folder
_SEVERITY = {"1": "mild", "2": "moderate", "3": "severe"}
_SEQUENCES = ("T1", "T2")

_NOTES = (
    "How intensities were mapped to the grey levels of the published 2-D slices is not documented.",
    "The masks are corrected output of MRSegmentator: they are not independent of that method.",
    "The licence is CC BY-NC 4.0: do not redistribute slices.",
)
_HEALTHY_NOTE = (
    "Healthy subjects are not in the published split: they form a test set of their own."
)


def recognises(root: Path) -> bool:
    """Whether a folder contains one of the archives."""
    found = [find(root, each) for each in _SEQUENCES for find in (_volumes, _slices)]
    return any([*found, _healthy(root)])


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """List all volumes and slices."""
    rule = _RULE.with_liver(options.liver)
    cases: list[IndexedCase] = []
    irregularities: list[str] = []
    for images, masks, template in _volume_folders(root, rule):
        cases += _volume_cases(images, masks, template)
        irregularities += _unmatched_labels(images, masks, template)
    for sequence in _SEQUENCES:
        slices = _slices(root, sequence)
        if slices:
            cases += _slice_cases(slices, sequence, rule)
    severity, unclear = _severities(root)
    notes = (*_NOTES, _HEALTHY_NOTE) if _healthy(root) else _NOTES
    # slices are listed between the volumes and the healthy subjects
    cases.sort(key=lambda case: case.dataset == _HEALTHY)
    return DatasetIndex("cirrmri600", tuple(cases), notes, (*irregularities, *unclear), severity)


def _volumes(root: Path, sequence: str) -> Path | None:
    contents = [f"{name}_images" for name in _SPLITS]
    return find_folder(root, [f"Cirrhosis_{sequence}_3D"], contents)


def _slices(root: Path, sequence: str) -> Path | None:
    return find_folder(root, [f"Cirrhosis_{sequence}_2D", f"{sequence}-cirrhosis-2D"], _SPLITS)


def _healthy(root: Path) -> Path | None:
    return find_folder(root, ["Healthy_subjects"], ["T1_W_Healthy", "T2_W_Healthy"])


def _volume_folders(root: Path, rule: LabelRule) -> Iterator[tuple[Path, Path, IndexedCase]]:
    """Image folder, mask folder, and what the cases in them have in common; the name is a prefix."""
    common = IndexedCase("", "", _DATASET, "", "volume", (), (), rule, modality="MR")
    for sequence in _SEQUENCES:
        folder = _volumes(root, sequence)
        for name, split in _SPLITS.items() if folder else ():
            images, masks = (folder / f"{name}_{kind}" for kind in ("images", "masks"))  # type: ignore[operator]
            yield (
                images,
                masks,
                replace(common, name=f"{sequence}/{name}/", sequence=sequence, split=split),
            )
    healthy = _healthy(root)
    for sequence in _SEQUENCES if healthy else ():
        folder = healthy / f"{sequence}_W_Healthy"  # type: ignore[operator]
        images, masks = (folder / f"{sequence}_{kind}" for kind in ("images", "masks"))
        shown = f"{sequence} healthy"
        yield (
            images,
            masks,
            replace(common, name=f"{shown}/test/", dataset=_HEALTHY, sequence=shown, split="test"),
        )


def _volume_cases(images: Path, masks: Path, common: IndexedCase) -> Iterator[IndexedCase]:
    labels = scan_files(masks)
    for number, path in scan_files(images).items():
        yield replace(
            common,
            name=f"{common.name}{number}",
            patient=patient_id(number),
            images=(path,),
            labels=(labels[number],) if number in labels else (),
        )


def _slice_cases(folder: Path, sequence: str, rule: LabelRule) -> Iterator[IndexedCase]:
    for name, split in _SPLITS.items():
        for patient in subfolders(folder / name):
            images, masks = (
                scan_files(patient / kind, SLICE_SUFFIXES) for kind in ("images", "masks")
            )
            yield IndexedCase(
                name=f"{sequence} 2D/{name}/{patient.name}",
                patient=patient_id(patient.name),
                dataset=_DATASET,
                sequence=f"{sequence} 2D",
                kind="slices",
                images=tuple(images.values()),
                labels=tuple(masks.get(each) for each in images),
                rule=rule,
                split=split,
                modality="MR",
            )


def _unmatched_labels(images: Path, masks: Path, common: IndexedCase) -> tuple[str, ...]:
    count = len(set(scan_files(masks)) - set(scan_files(images)))
    return unmatched_labels(count, common.name.rstrip("/"))


def _severities(root: Path) -> tuple[dict[str, str], list[str]]:
    """Severity by patient ID from the metadata files, and a sentence about each irregularity."""
    folders = [root] if root.name == "Metadata" else [root / "Metadata", root / "Metadata/Metadata"]
    found: dict[str, str] = {}
    irregularities: list[str] = []
    for path in [path for folder in folders for path in scan_files(folder, (".csv",)).values()]:
        try:  # UTF-8 with a byte order mark
            rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error):
            irregularities.append(f"The metadata file {path.name} cannot be read: skipped.")
            continue
        for patient, grade in map(_severity, rows):
            if grade and found.setdefault(patient, grade) != grade:
                irregularities.append(
                    f"The metadata give patient {patient} two severities: the first one is used."
                )
    return found, list(dict.fromkeys(irregularities))


def _severity(row: dict[str, str]) -> tuple[str, str | None]:
    """Patient ID and severity in a row of the metadata; None if it states neither."""
    cells = {str(key).strip().lower(): str(cell or "").strip() for key, cell in row.items()}
    grade = next((cells[key] for key in cells if key.startswith("radiological")), "")
    grade = _SEVERITY.get(grade.removesuffix(".0"), grade.lower())
    patient = patient_id(cells.get("patient id", ""))
    return patient, grade if patient != "0" and grade in _SEVERITY.values() else None
