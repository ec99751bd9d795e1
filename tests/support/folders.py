"""A small folder of labelled data, and the settings that read it."""

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from rma_mamba.datasets.config import DataConfig


def write_folder(tmp_path: Path) -> Path:
    """Two NIfTI patients, and slices of four more, with the liver as a bright box on the patient's right."""
    random = np.random.default_rng(0)
    for kind in ("volumes/images", "volumes/labels", "slices/images", "slices/masks"):
        (tmp_path / kind).mkdir(parents=True)
    affine = np.diag([4.0, 4.0, 8.0, 1.0])
    for patient in ("01", "02"):
        values = random.integers(100, 300, (30, 28, 5)).astype(np.int16)
        labels = np.zeros(values.shape, np.uint8)
        labels[18:26, 8:20, 1:4] = 6
        values[labels > 0] += 500
        for name, array in (("images", values), ("labels", labels)):
            path = tmp_path / "volumes" / name / f"case_{patient}.nii.gz"
            nib.save(nib.Nifti1Image(array, affine), path)
    for patient in ("003", "004", "10", "011"):
        for number in range(2):
            grey = random.integers(20, 60, (40, 32)).astype(np.uint8)
            mask = np.zeros_like(grey)
            if number:
                mask[10:30, 4:14] = 255
                grey[mask > 0] += 150
            name = f"p{patient}_z{number}.png"
            Image.fromarray(grey).save(tmp_path / "slices" / "images" / name)
            Image.fromarray(mask).save(tmp_path / "slices" / "masks" / name)
    return tmp_path


def folder_config(folder: Path) -> DataConfig:
    """Settings for that folder: validation patients 2 and 4, test patient 11."""
    return DataConfig.model_validate(
        {
            "root": str(folder),
            "crop": 32,
            "recipe": {"size": 32, "spacing_mm": 4.0, "neighbours": True},
            "splits": {"a": {"val": ["2"]}, "b": {"val": ["4"], "test": ["0011"]}},
            "sources": [
                {
                    "name": "volumes",
                    "kind": "volumes",
                    "dataset": "a",
                    "images": "volumes/images",
                    "labels": "volumes/labels",
                    "patient": r"case_(\d+)\.nii\.gz",
                    "liver": [6],
                },
                {
                    "name": "slices",
                    "kind": "slices",
                    "dataset": "b",
                    "images": "slices/images",
                    "labels": "slices/masks",
                    "patient": r"p(\d+)_z\d+\.png",
                    "pixel_mm": 4.0,
                    "mirrored_at_random": True,
                    "weight": 2.0,
                },
            ],
        }
    )
