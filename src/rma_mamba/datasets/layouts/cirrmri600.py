"""CirrMRI600+: cirrhotic livers in T1 and T2, as 3-D NIfTI and 2-D PNG, and 55 healthy subjects.

    Cirrhosis_T{1,2}_3D/{train,valid,test}_{images,masks}/<patient>.nii.gz
    Cirrhosis_T2_2D/{train,valid,test}/<patient>/{images,masks}/*.png
    Healthy_subjects/{T1_W_Healthy/{T1_images,T1_masks},T2_W_Healthy/{T2_images,T2_masks}}/<id>.nii.gz
    Metadata/*.csv

Source: OSF project cuk24, doi 10.17605/OSF.IO/CUK24; Sci Data 12:896.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from rma_mamba.datasets.config import Side, normalised
from rma_mamba.datasets.layouts.index import (
    PICTURES,
    DatasetIndex,
    IndexedCase,
    LayoutOptions,
    find_folder,
    scan_files,
    subfolders,
)
from rma_mamba.datasets.layouts.labels import LabelRule

EXPECTED = (
    "Cirrhosis_T2_3D/train_images/*.nii.gz, Cirrhosis_T2_2D/train/PATIENT/images/*.png or alike"
)

_COHORT, _HEALTHY = "cirrmri600", "cirrmri600-healthy"
_RULE = LabelRule(frozenset({1}), frozenset({1}))
_SIDES: tuple[Side, ...] = get_args(Side)
_SEVERITY = {"1": "mild", "2": "moderate", "3": "severe"}
_FLAT_NAMES = ("Cirrhosis_T2_2D", "T2-cirrhosis-2D")

_NOTES = (
    "The mapping of grey values in the published 2-D pictures is not known.",
    "The masks were made by MRSegmentator and corrected: it is no independent opinion on them.",
    "The licence is CC BY-NC 4.0: slices are not passed on.",
)
_HEALTHY_NOTE = (
    "Healthy subjects are on no side of the published split: they are taken as a test of their own."
)


def recognises(root: Path) -> bool:
    """Whether one of its archives lies there."""
    flat = find_folder(root, _FLAT_NAMES, _SIDES)
    return any([_volumes(root, "T1"), _volumes(root, "T2"), flat, _healthy(root)])


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """All its volumes and pictures that lie below a folder."""
    rule = _RULE.with_liver(options.liver)
    entries, doubts = [], []
    for sequence in ("T1", "T2"):
        folder = _volumes(root, sequence)
        for side in _SIDES if folder else ():
            images, masks = (folder / f"{side}_{kind}" for kind in ("images", "masks"))  # type: ignore[operator]
            entries += list(_pairs(images, masks, sequence, _COHORT, side, rule))
            doubts += _lonely(images, masks, sequence, side)
    flat = find_folder(root, _FLAT_NAMES, _SIDES)
    if flat:
        entries += list(_pictures(flat, rule))
    healthy = _healthy(root)
    for sequence in ("T1", "T2") if healthy else ():
        folder = healthy / f"{sequence}_W_Healthy"  # type: ignore[operator]
        images, masks = (folder / f"{sequence}_{kind}" for kind in ("images", "masks"))
        entries += list(_pairs(images, masks, f"{sequence} healthy", _HEALTHY, "test", rule))
        doubts += _lonely(images, masks, f"{sequence} healthy", "test")
    severity, unclear = _severities(root)
    notes = (*_NOTES, _HEALTHY_NOTE) if healthy else _NOTES
    return DatasetIndex("cirrmri600", tuple(entries), notes, (*doubts, *unclear), severity)


def _volumes(root: Path, sequence: str) -> Path | None:
    holds = [f"{side}_images" for side in _SIDES]
    return find_folder(root, [f"Cirrhosis_{sequence}_3D"], holds)


def _healthy(root: Path) -> Path | None:
    return find_folder(root, ["Healthy_subjects"], ["T1_W_Healthy", "T2_W_Healthy"])


def _pairs(
    images: Path, masks: Path, sequence: str, cohort: str, side: Side, rule: LabelRule
) -> Iterator[IndexedCase]:
    labels = scan_files(masks)
    for number, path in scan_files(images).items():
        yield IndexedCase(
            name=f"{sequence}/{side}/{number}",
            patient=normalised(number),
            cohort=cohort,
            sequence=sequence,
            kind="volume",
            images=(path,),
            labels=(labels[number],) if number in labels else (),
            rule=rule,
            side=side,
            modality="MR",
        )


def _pictures(folder: Path, rule: LabelRule) -> Iterator[IndexedCase]:
    for side in _SIDES:
        for patient in subfolders(folder / side):
            images, masks = (scan_files(patient / kind, PICTURES) for kind in ("images", "masks"))
            yield IndexedCase(
                name=f"T2 2D/{side}/{patient.name}",
                patient=normalised(patient.name),
                cohort=_COHORT,
                sequence="T2 2D",
                kind="slices",
                images=tuple(images.values()),
                labels=tuple(masks.get(name) for name in images),
                rule=rule,
                side=side,
                modality="MR",
            )


def _lonely(images: Path, masks: Path, sequence: str, side: Side) -> list[str]:
    """A sentence on masks without an image."""
    count = len(set(scan_files(masks)) - set(scan_files(images)))
    return [f"{count} masks of {sequence} {side} have no image: passed over."] if count else []


def _severities(root: Path) -> tuple[dict[str, str], list[str]]:
    """Severity by patient from the metadata, which is UTF-8 with a byte order mark."""
    folders = [root] if root.name == "Metadata" else [root / "Metadata", root / "Metadata/Metadata"]
    found: dict[str, str] = {}
    doubts = []
    for path in [path for folder in folders for path in scan_files(folder, (".csv",)).values()]:
        try:
            rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error):
            doubts.append(f"The metadata in {path.name} cannot be read: passed over.")
            continue
        for row in rows:
            cells = {str(key).strip().lower(): str(cell or "").strip() for key, cell in row.items()}
            grade = next((cells[key] for key in cells if key.startswith("radiological")), "")
            patient = normalised(cells.get("patient id", ""))
            grade = _SEVERITY.get(grade.removesuffix(".0"), grade.lower())
            if patient == "0" or grade not in _SEVERITY.values():
                continue
            if found.setdefault(patient, grade) != grade:
                doubts.append(
                    f"The metadata give patient {patient} two severities: the first counts."
                )
    return found, list(dict.fromkeys(doubts))
