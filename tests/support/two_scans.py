"""Patients with two aligned scans, T1 and T2, and a network for both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from layouts import AFFINE, save, save_image, scan
from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint
from rma_mamba.volume import Geometry, Volume
from tiny import MODEL, RECIPE, SETTINGS, TRAINING

CHANNELS = ("T1", "T2")
PATIENTS = ("P1", "P2", "P3", "P4")


def volume(
    seed: int = 0, shape: tuple[int, int, int] = (44, 40, 10), shift_mm: Any = (0.0, 0.0, 0.0)
) -> Volume:
    """An MR scan of random tissue in LPS order."""
    affine = AFFINE.copy()
    affine[:3, 3] += shift_mm
    return Volume(scan(seed, shape)[0], Geometry(shape, affine), "MR")


def write_two_scans(root: Path, missing: Any = ()) -> Path:
    """Four patients; `missing` are pairs of patient and channel without a file. T2 has another contrast than T1."""
    for number, patient in enumerate(PATIENTS):
        values, liver = scan(number)
        noise = np.random.default_rng(number).normal(0, 20, values.shape)
        images = {"T1": values, "T2": (900 - values + noise).astype(np.int16)}
        for channel, image in images.items():
            if (patient, channel) not in missing:
                save(root / channel / f"{patient}.nii.gz", image)
        save(root / "labels" / f"{patient}.nii.gz", liver)
    return root


def write_two_scan_slices(root: Path, missing: Any = (), *, first: str = "png") -> Path:
    """The same patients as PNG slices P1_z0003.png; those of T1 have the suffix `first`."""
    for number, patient in enumerate(PATIENTS):
        values, liver = scan(number)
        images = {"T1": values // 4, "T2": (900 - values) // 4}
        for k in range(values.shape[2]):
            name = f"{patient}_z{k:04d}"
            for channel, image in images.items():
                suffix = first if channel == "T1" else "png"
                if (patient, channel) not in missing:
                    plane = image[:, :, k].clip(0, 255).astype(np.uint8)
                    save_image(root / channel / f"{name}.{suffix}", plane)
            save_image(root / "labels" / f"{name}.png", liver[:, :, k] * np.uint8(255))
    return root


def slice_source(**changes: Any) -> dict[str, Any]:
    """A source of these slices."""
    return source(**{"kind": "slices", "patient": r"(.+)_z\d+\..+", "ordered": True, **changes})


def source(**changes: Any) -> dict[str, Any]:
    """A source of these patients, as in a recipe."""
    return {
        "name": "MR",
        "kind": "volumes",
        "channels": {"T1": "T1", "T2": "T2"},
        "labels": "labels",
        "dataset": "two",
        **changes,
    }


def data_settings(root: Path, **changes: Any) -> dict[str, Any]:
    """The data table of a recipe."""
    return {
        "root": str(root),
        "crop": 32,
        "recipe": RECIPE,
        "sources": [source()],
        "splits": {"two": {"val": ["P4"], "test": ["P3"]}},
        **changes,
    }


def recipe_content(root: Path, folder: Path, **data: Any) -> dict[str, Any]:
    """A recipe of a tiny network."""
    return {
        "run": {"folder": str(folder)},
        "model": MODEL,
        "training": {**TRAINING, "loggers": []},
        "data": data_settings(root, **data),
    }


def two_scan_network() -> nn.Module:
    """A network whose result depends on both scans."""
    torch.manual_seed(0)
    model = create_model("rma-mamba-n", **SETTINGS, input_channels=6).eval()
    with torch.no_grad():
        for number in (1, 2, 3):
            model.get_submodule(f"attention{number}.ra_conv3").weight.mul_(30)
    return model


def two_scan_weights(path: Path) -> Path:
    """A weights file of that network."""
    content = encode_checkpoint(
        two_scan_network().state_dict(),
        model="rma-mamba-n",
        settings={**SETTINGS, "input_channels": 6},
        recipe={**RECIPE, "channel_names": CHANNELS},
    )
    path.write_bytes(content)
    return path


def write_nnunet_channels(root: Path) -> Path:
    """nnU-Net raw: A and B with two channels, C with the second alone."""
    folder = root / "Dataset007_Liver"
    for number, case in enumerate("ABC"):
        values, liver = scan(number)
        if case != "C":
            save(folder / "imagesTr" / f"{case}_0000.nii.gz", values)
        save(folder / "imagesTr" / f"{case}_0001.nii.gz", 900 - values)
        save(folder / "labelsTr" / f"{case}.nii.gz", liver)
    described = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "liver": 1}}
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder
