"""A plain folder of images and one of labels: NIfTI files, DICOM series, or pictures of slices.

    images/NAME.nii.gz        labels/NAME.nii.gz
    images/NAME/*.dcm         labels/NAME.nii.gz
    images/NAME_z017.png      labels/NAME_z017.png       (slices of NAME, sorted by name from foot to head)

`masks` may stand for `labels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rma_mamba.datasets.config import normalised
from rma_mamba.datasets.layouts.index import (
    PICTURES,
    VOLUMES,
    DatasetIndex,
    IndexedCase,
    LayoutOptions,
    scan_files,
    subfolders,
)
from rma_mamba.datasets.layouts.labels import LabelRule

EXPECTED = "images/NAME.nii.gz and labels/NAME.nii.gz (or PNG and JPG slices)"

_RULE = LabelRule(frozenset({1}), frozenset({1}))
_COHORT = "folders"
_SLICE = r"(.+?)(?:_[A-Za-z]*\d+)?"  # a slice's number at the end is no part of the patient


def recognises(root: Path) -> bool:
    """Whether both folders lie there."""
    return (root / "images").is_dir() and _label_folder(root).is_dir()


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """All images of both kinds.

    Raises:
        ConfigError: A name holds no patient.
    """
    rule = _RULE.with_liver(options.liver)
    entries = (*_volumes(root, options, rule), *_slices(root, options, rule))
    shown = ", ".join(map(str, sorted(rule.liver)))
    images = {path.name.split(".")[0] for entry in entries for path in entry.images}
    labels = scan_files(_label_folder(root), VOLUMES + PICTURES)
    lonely = len({name.split(".")[0] for name in labels} - images)
    doubts = (f"{lonely} labels have no image: passed over.",) if lonely else ()
    return DatasetIndex(
        "folders", entries, (f"Liver is label {shown} (255 in masks of 0 and 255).",), doubts
    )


def _label_folder(root: Path) -> Path:
    return root / "labels" if (root / "labels").is_dir() else root / "masks"


def _volumes(root: Path, options: LayoutOptions, rule: LabelRule) -> Iterator[IndexedCase]:
    labels = scan_files(_label_folder(root))
    series = {folder.name: folder for folder in subfolders(root / "images")}
    for name, path in {**scan_files(root / "images"), **series}.items():
        yield IndexedCase(
            name=name,
            patient=normalised(options.patient_of(name)),
            cohort=_COHORT,
            sequence="volumes",
            kind="volume",
            images=(path,),
            labels=(labels[name],) if name in labels else (),
            rule=rule,
        )


def _slices(root: Path, options: LayoutOptions, rule: LabelRule) -> Iterator[IndexedCase]:
    images = scan_files(root / "images", PICTURES)
    labels = scan_files(_label_folder(root), PICTURES)
    patients: dict[str, list[str]] = {}
    for name in images:
        patients.setdefault(options.patient_of(name, _SLICE), []).append(name)
    for patient, names in patients.items():
        yield IndexedCase(
            name=f"slices/{patient}",
            patient=normalised(patient),
            cohort=_COHORT,
            sequence="slices",
            kind="slices",
            images=tuple(images[name] for name in names),
            labels=tuple(labels.get(name) for name in names),
            rule=rule,
        )
