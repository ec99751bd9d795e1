"""LiTS and the Medical Segmentation Decathlon's Task03, the same 131 liver CTs.

    volume-N.nii, segmentation-N.nii                                   (LiTS, in folders of any name)
    Task03_Liver/{imagesTr,labelsTr}/liver_N.nii.gz, dataset.json      (MSD)

The split is the paper's, by number (arXiv:2502.18232): 0-29 test, 30-59 valid, the rest train.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rma_mamba.datasets.config import Side
from rma_mamba.datasets.layouts.index import (
    VOLUMES,
    DatasetIndex,
    IndexedCase,
    LayoutOptions,
    find_folder,
    natural,
    scan_files,
)
from rma_mamba.datasets.layouts.labels import LabelRule

EXPECTED = "volume-0.nii and segmentation-0.nii"
EXPECTED_MSD = "Task03_Liver/imagesTr/liver_0.nii.gz and Task03_Liver/labelsTr/liver_0.nii.gz"

_RULE = LabelRule(frozenset({1, 2}), frozenset({1, 2}))
_TEST, _VALID = range(30), range(30, 60)
_NOTES = (
    "The split is by case number: 0-29 test, 30-59 valid, the rest train.",
    "Cases of about 27 to 48 are those of 3D-IRCADb: they stay on one side with it.",
)
_BOTH = "Liver is label 1 with tumour (2) inside it; --liver 1 takes label 1 alone."


def recognises(root: Path) -> bool:
    """Whether volumes of LiTS lie there."""
    return bool(_numbered(root, "volume"))


def read(root: Path, options: LayoutOptions) -> DatasetIndex:
    """LiTS, in any subfolders."""
    return _paired("lits", _numbered(root, "volume"), _numbered(root, "segmentation"), options)


def recognises_msd(root: Path) -> bool:
    """Whether volumes of MSD Task03 lie there."""
    return bool(_msd(root, "imagesTr"))


def read_msd(root: Path, options: LayoutOptions) -> DatasetIndex:
    """MSD Task03."""
    return _paired("msd-liver", _msd(root, "imagesTr"), _msd(root, "labelsTr"), options)


def _paired(
    name: str, images: dict[int, Path], labels: dict[int, Path], options: LayoutOptions
) -> DatasetIndex:
    entries = tuple(
        IndexedCase(
            name=f"{number}",
            patient=str(number),
            cohort="lits",
            sequence="CT",
            kind="volume",
            images=(path,),
            labels=(labels[number],) if number in labels else (),
            rule=_RULE.with_liver(options.liver),
            side=_side(number),
            modality="CT",
        )
        for number, path in sorted(images.items())
    )
    lonely = len(set(labels) - set(images))
    doubts = (f"{lonely} labels have no image: passed over.",) if lonely else ()
    return DatasetIndex(name, entries, _NOTES if options.liver else (*_NOTES, _BOTH), doubts)


def _side(number: int) -> Side:
    return "test" if number in _TEST else "valid" if number in _VALID else "train"


def _numbered(root: Path, what: str) -> dict[int, Path]:
    """Files `what-N.nii`, at any depth."""
    return _by_number(natural(root.rglob(f"{what}-*.nii*")), rf"{what}-(\d+)")


def _msd(root: Path, folder: str) -> dict[int, Path]:
    found = root if (root / folder).is_dir() else find_folder(root, ["Task03_Liver"], [folder])
    return _by_number(scan_files(found / folder).values() if found else (), r"liver_(\d+)")


def _by_number(paths: Iterable[Path], pattern: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    endings = "|".join(map(re.escape, VOLUMES))
    for path in paths:
        match = re.fullmatch(f"{pattern}({endings})", path.name)
        if match:
            found.setdefault(int(match[1]), path)
    return found
