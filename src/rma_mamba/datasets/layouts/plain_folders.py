"""A folder of images and a folder of labels: NIfTI files, DICOM series, or PNG and JPEG slices.

    images/NAME.nii.gz        labels/NAME.nii.gz
    images/NAME/*.dcm         labels/NAME.nii.gz
    images/NAME_z017.png      labels/NAME_z017.png       (slices of NAME, by file name from inferior to superior)

The label folder may also be called `masks`. BTCV (Synapse syn3193805) has other names:

    img/img0001.nii.gz        label/label0001.nii.gz
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES
from rma_mamba.datasets.layouts.index import (
    DatasetIndex,
    IndexedCase,
    LayoutOptions,
    unmatched_labels,
)
from rma_mamba.datasets.layouts.listing import scan_files, subfolders
from rma_mamba.datasets.source_files import SLICE_SUFFIXES
from rma_mamba.datasets.splits import patient_id
from rma_mamba.folder_tree import as_text
from rma_mamba.labels import LabelRule

EXPECTED = "images/NAME.nii.gz and labels/NAME.nii.gz (or PNG and JPEG slices)"

_RULE = LabelRule(frozenset({1}), frozenset({1}))
_DATASET = "folders"
_SLICE = r"(.+?)(?:_[A-Za-z]*\d+)?"  # the slice number at the end is not part of the patient ID


def recognises(root: Path) -> bool:
    """Whether a folder contains both subfolders."""
    return _image_folder(root).is_dir() and _label_folder(root).is_dir()


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """List all volumes and slices.

    Raises:
        ConfigError: A name contains no patient ID.
    """
    rule = _RULE.with_liver(options.liver)
    # whoever names the value of the liver may have label maps of many organs
    of_volumes = replace(rule, known=None) if options.liver else rule
    cases = (*_volumes(root, options, of_volumes), *_slices(root, options, rule))
    shown = ", ".join(map(str, sorted(rule.liver)))
    images = {as_text(path.name.split(".")[0]) for case in cases for path in case.images}
    labels = _labels(root, NIFTI_SUFFIXES + SLICE_SUFFIXES)
    unmatched = len({name.split(".")[0] for name in labels} - images)
    note = f"Liver is label {shown} (255 in masks of 0 and 255)."
    return DatasetIndex("folders", cases, (note,), unmatched_labels(unmatched))


def _image_folder(root: Path) -> Path:
    return _existing(root, ("images", "img"))


def _label_folder(root: Path) -> Path:
    return _existing(root, ("labels", "masks", "label"))


def _existing(root: Path, names: Sequence[str]) -> Path:
    """The first folder that exists, or else the first."""
    return next((root / name for name in names if (root / name).is_dir()), root / names[0])


def _labels(root: Path, suffixes: Iterable[str] = NIFTI_SUFFIXES) -> dict[str, Path]:
    """Label files by the name of their image."""
    found = scan_files(_label_folder(root), suffixes)
    if _image_folder(root).name != "img":
        return found
    return {re.sub(r"^label(?=\d)", "img", name): path for name, path in found.items()}


def _volumes(root: Path, options: LayoutOptions, rule: LabelRule) -> Iterator[IndexedCase]:
    labels, folder = _labels(root), _image_folder(root)
    series = {as_text(each.name): each for each in subfolders(folder)}
    for name, path in {**scan_files(folder), **series}.items():
        yield IndexedCase(
            name=name,
            patient=patient_id(options.patient_of(name)),
            dataset=_DATASET,
            sequence="volumes",
            kind="volume",
            images=(path,),
            labels=(labels[name],) if name in labels else (),
            rule=rule,
        )


def _slices(root: Path, options: LayoutOptions, rule: LabelRule) -> Iterator[IndexedCase]:
    images = scan_files(_image_folder(root), SLICE_SUFFIXES)
    labels = _labels(root, SLICE_SUFFIXES)
    patients: dict[str, list[str]] = {}
    for name in images:
        patients.setdefault(options.patient_of(name, _SLICE), []).append(name)
    for patient, names in patients.items():
        yield IndexedCase(
            name=f"slices/{patient}",
            patient=patient_id(patient),
            dataset=_DATASET,
            sequence="slices",
            kind="slices",
            images=tuple(images[name] for name in names),
            labels=tuple(labels.get(name) for name in names),
            rule=rule,
        )
