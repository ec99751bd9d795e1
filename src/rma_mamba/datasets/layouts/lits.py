"""LiTS and Task03 of the Medical Segmentation Decathlon (MSD): the same 131 CT scans of the liver.

    volume-N.nii, segmentation-N.nii                                   (LiTS, in any subfolder)
    Task03_Liver/{imagesTr,labelsTr}/liver_N.nii.gz, dataset.json      (MSD)

The split is the one of the paper, by case number (arXiv:2502.18232): 0-29 test, 30-59 validation, the rest training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES
from rma_mamba.datasets.layouts.index import (
    DatasetIndex,
    IndexedCase,
    LayoutFault,
    LayoutOptions,
    unmatched_labels,
)
from rma_mamba.datasets.layouts.listing import find_folder, in_natural_order, scan_files
from rma_mamba.datasets.splits import Split
from rma_mamba.folder_tree import folder_tree
from rma_mamba.labels import LabelRule

EXPECTED = "volume-0.nii and segmentation-0.nii"
EXPECTED_MSD = "Task03_Liver/imagesTr/liver_0.nii.gz and Task03_Liver/labelsTr/liver_0.nii.gz"

_RULE = LabelRule(frozenset({1, 2}), frozenset({1, 2}))
_CLASSES = {"liver": (1, 2), "tumour": (2,)}
_TEST, _VAL = range(30), range(30, 60)
_NOTES = (
    "The split is by case number: 0-29 test, 30-59 validation, the rest training.",
    "Cases 27 to 48 (approximately) are those of 3D-IRCADb: if you use both, keep them in the same split.",
)
_LIVER_NOTE = "Liver is label 1, and label 2 (tumour) inside it; with --liver 1 label 1 alone."


def recognises(root: Path) -> bool:
    """Whether a folder contains volumes of LiTS."""
    return bool(_lits_files(root, "volume"))


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """List the cases of LiTS, in any subfolder."""
    return _pair_cases(
        "lits", _lits_files(root, "volume"), _lits_files(root, "segmentation"), options
    )


def recognises_msd(root: Path) -> bool:
    """Whether a folder contains volumes of MSD Task03."""
    return bool(_msd(root, "imagesTr"))


def read_msd(root: Path, options: LayoutOptions) -> DatasetIndex:
    """List the cases of MSD Task03."""
    return _pair_cases("msd-liver", _msd(root, "imagesTr"), _msd(root, "labelsTr"), options)


def _pair_cases(
    name: str,
    images: dict[int, list[Path]],
    labels: dict[int, list[Path]],
    options: LayoutOptions,
) -> DatasetIndex:
    cases = tuple(
        IndexedCase(
            name=f"{number}",
            patient=str(number),
            dataset="lits",
            sequence="CT",
            kind="volume",
            images=(paths[0],),
            labels=tuple(labels.get(number, ())[:1]),
            rule=_RULE.with_liver(options.liver),
            split=_split(number),
            modality="CT",
            classes=_CLASSES,
        )
        for number, paths in sorted(images.items())
    )
    without_image = set(labels) - set(images)
    notes = _NOTES if options.liver else (*_NOTES, _LIVER_NOTE)
    faults = (*_same_number(images, "image"), *_same_number(labels, "label"))
    return DatasetIndex(
        name,
        cases,
        notes,
        unmatched_labels(len(without_image)),
        faults=faults,
        set_aside=frozenset(path for number in without_image for path in labels[number]),
    )


def _same_number(files: Mapping[int, Sequence[Path]], what: str) -> Iterator[LayoutFault]:
    for number, paths in sorted(files.items()):
        if len(paths) > 1:
            text = (
                f"there are {len(paths)} {what} files of this number, and only one would be used; expected one. "
                "Remove or renumber the others."
            )
            yield LayoutFault("files", text, (f"{number}",), tuple(paths[1:]))


def _split(number: int) -> Split:
    return "test" if number in _TEST else "val" if number in _VAL else "train"


def _lits_files(root: Path, prefix: str) -> dict[int, list[Path]]:
    """Files `PREFIX-N.nii` by number, in any subfolder."""
    if not root.is_dir():
        return {}
    folders = folder_tree(root).walk()
    files = [path for each in folders for path in (*each.files, *each.dangling)]
    return _by_number(in_natural_order(files), rf"{prefix}-(\d+)")


def _msd(root: Path, folder: str) -> dict[int, list[Path]]:
    found = root if (root / folder).is_dir() else find_folder(root, ["Task03_Liver"], [folder])
    return _by_number(scan_files(found / folder).values() if found else (), r"liver_(\d+)")


def _by_number(paths: Iterable[Path], pattern: str) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    suffixes = "|".join(map(re.escape, NIFTI_SUFFIXES))
    for path in paths:
        match = re.fullmatch(f"{pattern}({suffixes})", path.name)
        if match:
            found.setdefault(int(match[1]), []).append(path)
    return found
