"""Fit what evidence against a mask says about its Dice, on reference masks that were made wrong.

    python scripts/fit_mask_evidence.py FOLDER

FOLDER contains the public data listed in the model card, with the shapes of diseased livers in `liver_shapes`. The
reference masks of the training patients lose their upper part, their lower part or a lobe, are eroded or dilated, or
include the spleen, a kidney, the stomach, lung, or a pleural effusion that is drawn into the scan. The factors are
fitted to these; the validation and test patients are only evaluated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage, optimize

from rma_mamba.datasets.config import SourceConfig
from rma_mamba.datasets.labelled_images import class_bits, read_label_values
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import SPLITS
from rma_mamba.files import replace_file
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.metrics import dice
from rma_mamba.reporting import mask_evidence as evidence
from rma_mamba.reporting.mask_examination import (
    SHAPE_FEATURES,
    coarse_grid,
    distance_from_livers,
    examine_mask,
    shape_features,
)
from rma_mamba.scans import read_scan
from rma_mamba.slicing import SliceRecipe, SliceStack, calibrated
from rma_mamba.training import load_recipe
from rma_mamba.volume import Mask, Volume

ORGANS = {
    "MR T2": {"spleen": 4, "kidney": 2},
    "CT volumes": {"spleen": 1, "kidney": 2, "stomach": 7},
}
SMALLEST_ML = 20
PERFECT = 0.97  # Dice of two careful readers
# Just above the largest values of the reference masks.
LIMITS = {
    "cut_slices": 0.28,
    "cut_in_plane": 0.12,
    "edgeless": 0.40,
    "dark": 0.11,
    "bright": 0.05,
    "shape_distance": 4.2,
}


class Scan(NamedTuple):
    """Arrays in canonical order [slice, row, column]."""

    values: Any
    liver: Any
    labels: Any
    spacing_mm: tuple[float, ...]


def failures(
    scan: Scan, organs: dict[str, int], calibrated_ct: bool
) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, intensities, wrong mask and right mask."""
    values, liver = scan.values, scan.liver
    yield "reference", values, liver, liver
    for name, wrong in (*_cut(liver), *_resized(liver, scan.spacing_mm)):
        yield name, values, wrong, liver
    for name, label in organs.items():
        organ = scan.labels == label
        if organ.sum() * np.prod(scan.spacing_mm) > SMALLEST_ML * 1000:
            yield f"with {name}", values, liver | organ, liver
    lung = _lung_above(scan) if calibrated_ct else None
    if lung is not None:
        yield "with lung", values, liver | lung, liver
        fluid = values.copy()
        fluid[lung] = np.random.default_rng(0).normal(10, 15, int(lung.sum()))
        yield "effusion", fluid, liver, liver
        yield "with effusion", fluid, liver | lung, liver


def _cut(liver: Any) -> Iterator[tuple[str, Any]]:
    filled = np.flatnonzero(liver.any(axis=(1, 2)))
    first, last = int(filled[0]), int(filled[-1]) + 1
    for name, share in (("upper fifth", 1 / 5), ("upper third", 1 / 3), ("upper half", 1 / 2)):
        wrong = liver.copy()
        wrong[last - max(1, round(share * (last - first))) :] = False
        yield f"no {name}", wrong
    wrong = liver.copy()
    wrong[: first + max(1, round((last - first) / 3))] = False
    yield "no lower third", wrong
    cumulative = np.cumsum(liver.sum(axis=(0, 1))) / liver.sum()
    wrong = liver.copy()
    wrong[:, :, np.searchsorted(cumulative, 0.75) :] = False
    yield "no left quarter", wrong
    wrong = liver.copy()
    wrong[:, :, : np.searchsorted(cumulative, 0.25)] = False
    yield "no right quarter", wrong


def _resized(liver: Any, spacing_mm: tuple[float, ...]) -> Iterator[tuple[str, Any]]:
    yield "dilated by 6 mm", ndimage.distance_transform_edt(~liver, sampling=spacing_mm) < 6
    yield "eroded by 6 mm", ndimage.distance_transform_edt(liver, sampling=spacing_mm) > 6
    z, _, x = (round(20 / mm) for mm in spacing_mm)
    yield "shifted by 28 mm", np.roll(liver, (z, x), (0, 2))


def _lung_above(scan: Scan) -> Any | None:
    """The lung within 40 mm of the dome of the liver, on its side of the body; None if there is little."""
    body = np.zeros_like(scan.liver)
    for number, plane in enumerate(scan.values):
        body[number] = ndimage.binary_fill_holes(ndimage.binary_opening(plane > -110, iterations=2))
    air = ndimage.binary_opening(body & (scan.values < -110), iterations=2)
    dome = int(np.flatnonzero(scan.liver.any(axis=(1, 2)))[-1])
    up, down = (round(mm / scan.spacing_mm[0]) for mm in (20, 60))
    air[: max(0, dome - down)] = False
    air[dome + up :] = False
    air[:, :, air.shape[2] // 2 :] = False  # the patient's left
    lung = air & (ndimage.distance_transform_edt(~scan.liver, sampling=scan.spacing_mm) < 40)
    return lung if lung.sum() * np.prod(scan.spacing_mm) > 3 * SMALLEST_ML * 1000 else None


def collect(root: Path) -> list[dict[str, Any]]:
    """Evidence and Dice of every made failure of every patient."""
    recipe = load_recipe("whole-scan", [f"data.root={root}"])
    files = SourceFiles(recipe.data)
    rows = []
    for source in (each for each in recipe.data.sources if each.name in ORGANS):
        for split in SPLITS:
            for patient, images in files.images(source, split).items():
                for row in _rows(files, source, images[0], recipe.data.recipe):
                    rows.append({"source": source.name, "split": split, "patient": patient, **row})
    return rows


def _rows(
    files: SourceFiles, source: SourceConfig, image: Path, recipe: SliceRecipe
) -> Iterator[dict[str, Any]]:
    read, labels = read_label_values(files, source, image)
    volume = calibrated(read, source.modality)
    order = volume.geometry.canonical
    spacing_mm = tuple(volume.geometry.spacing_mm[axis] for axis in order.permutation)
    liver = order.apply(class_bits(source, labels, LabelScheme())) > 0
    scan = Scan(order.apply(volume.values), liver, order.apply(labels), spacing_mm)
    scale = SliceStack(volume, recipe).scale.range
    hounsfield = source.window_hu is not None
    for name, values, wrong, right in failures(scan, ORGANS[source.name], hounsfield):
        changed = replace(volume, values=order.undo(values))
        found = examine_mask(changed, _mask(volume, wrong), scale)
        _, inside, mm = coarse_grid(changed, _mask(volume, wrong), scale)
        shape = shape_features(inside, mm)
        yield {"as": name, "dice": dice(right, wrong), "found": found, "shape": shape}


def _mask(volume: Volume, canonical: Any) -> Mask:
    return Mask(
        volume.geometry.canonical.undo(canonical.astype(np.uint8)), volume.geometry, volume.header
    )


def shapes(root: Path) -> list[list[float]]:
    """Features of the shapes without an image."""
    found = []
    for path in sorted((root / "liver_shapes").rglob("*.nii.gz")):
        read = read_scan(path)
        mask = Mask((read.values > 0).astype(np.uint8), read.geometry, read.header)
        _, inside, mm = coarse_grid(read, mask, (0.0, 1.0))
        found.append(shape_features(inside, mm))
    return found


def fit(rows: list[dict[str, Any]], diseased: list[list[float]]) -> dict[str, Any]:
    """Factors by non-negative least squares on -log(Dice)."""
    healthy = [row["shape"] for row in rows if row["as"] == "reference" and row["split"] == "train"]
    features = np.array([*healthy, *diseased])
    content: dict[str, Any] = {
        "made_by": "scripts/fit_mask_evidence.py",
        "limits": LIMITS,
        "shapes": {
            "features": list(SHAPE_FEATURES),
            "count": len(features),
            "mean": features.mean(axis=0).round(4).tolist(),
            "covariance": np.cov(features.T).round(6).tolist(),
        },
        "slopes": {},
    }
    _use(content)
    for row in rows:  # now that shapes can be compared
        row["found"] = replace(row["found"], shape_distance=distance_from_livers(row["shape"]))
    chosen = [
        row for row in rows if row["split"] == "train" and not row["as"].startswith("shifted")
    ]
    design = np.array([[row["found"].regressor(kind) for kind in LIMITS] for row in chosen])
    weight = np.array([row["dice"] for row in chosen])
    aim = -np.log(weight.clip(0.05))
    slopes, _ = optimize.nnls(design * weight[:, None], aim * weight)
    content["slopes"] = {
        kind: round(float(slope), 4) for kind, slope in zip(LIMITS, slopes, strict=True) if slope
    }
    _use(content)
    return content


def _use(content: dict[str, Any]) -> None:
    path = Path(evidence.__file__).with_suffix(".json")
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), "calibration")
    evidence.calibration.cache_clear()


def report(rows: list[dict[str, Any]]) -> None:
    """Print a table for each split."""
    for split in SPLITS:
        print(f"\n| {split} | cases | Dice | estimated | largest error | within 0.1 |")
        print("|" + "---|" * 6)
        chosen = [row for row in rows if row["split"] == split]
        for name in dict.fromkeys(row["as"] for row in chosen):
            group = [row for row in chosen if row["as"] == name]
            got = np.array([row["dice"] for row in group])
            estimated = np.array([PERFECT * row["found"].dice_factor for row in group])
            errors = np.abs(got - estimated)
            print(
                f"| {name} | {len(group)} | {got.mean():.2f} | {estimated.mean():.2f} | {errors.max():.2f} | "
                f"{(errors < 0.1).sum()} |"
            )
    good = [row["found"] for row in rows if row["as"] in ("reference", "effusion")]
    print("\nlargest values of reference masks:")
    print({kind: round(max(getattr(each, kind) for each in good), 3) for kind in LIMITS})


def main() -> None:
    """Parse the command line, fit, and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = collect(folder)
    print(json.dumps(fit(rows, shapes(folder))["slopes"]))
    report(rows)


if __name__ == "__main__":
    main()
