"""Small CT scans of livers with tumours in the layouts of LiTS, and recipes that train two classes on them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from tiny import MODEL, TRAINING

NESTED = {"names": ["liver", "tumour"], "inside": {"tumour": "liver"}}
EXCLUSIVE = {"names": ["liver", "tumour"]}
AFFINE = np.diag([-4.0, -4.0, 8.0, 1.0])


def scan_with_tumour(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A CT scan in HU [i, j, k], and its label: 1 liver, 2 tumour."""
    random = np.random.default_rng(seed)
    i, j, k = np.meshgrid(*map(np.arange, (36, 32, 6)), indexing="ij")
    values = np.where((i - 18) ** 2 / 280 + (j - 16) ** 2 / 220 < 1, 0, -1000)
    liver = (i - 12) ** 2 / 60 + (j - 15) ** 2 / 90 + (k - 2.5) ** 2 / 7 < 1
    row, column = 11 + random.integers(0, 4), 13 + random.integers(0, 4)
    tumour = (i - row) ** 2 + (j - column) ** 2 + 4 * (k - 2) ** 2 < 12
    label = liver.astype(np.uint8) + (liver & tumour).astype(np.uint8)
    values = values + 100 * (label == 1) + 30 * (label == 2) + random.normal(0, 8, label.shape)
    return values.astype(np.int16), label


def write_tumours(root: Path, count: int = 5) -> Path:
    """MSD-like folders of `count` scans: images/liver_0.nii and labels/liver_0.nii."""
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for number in range(count):
        for kind, array in zip(("images", "labels"), scan_with_tumour(number), strict=True):
            nib.save(nib.Nifti1Image(array, AFFINE), root / kind / f"liver_{number}.nii")
    return root


def tumour_recipe(root: Path, run: Path, labels: dict[str, Any] = NESTED) -> dict[str, Any]:
    """A recipe of a few seconds on that folder: validation patient 3, test patient 4."""
    return {
        "run": {"folder": str(run)},
        "labels": labels,
        "model": deepcopy(MODEL),
        "training": deepcopy(TRAINING),
        "data": {
            "root": str(root),
            "crop": 32,
            "recipe": {"size": 32, "spacing_mm": 4.0, "neighbours": True},
            "augment": {"spatial": 0.5, "lesions": 0.5, "rotation": 0.5, "horizontal_flip": 0.5},
            "splits": {"lits": {"val": ["3"], "test": ["4"]}},
            "sources": [
                {
                    "name": "CT",
                    "kind": "volumes",
                    "dataset": "lits",
                    "images": "images",
                    "labels": "labels",
                    "patient": r"liver_(\d+)\.nii",
                    "modality": "CT",
                }
            ],
        },
    }
